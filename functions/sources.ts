/** This deployment's sources: who sends webhooks to `/hooks/<name>`, and which queue each event goes to. */

import { defineSource } from 'sluice';
import { github as provider } from 'sluice/providers';
import { githubActivity, githubReview, githubSecurity } from './queues/github.ts';

const SECURITY = /alert|advisory|deploy_key|^branch_protection|^member|^org_block/;
const REVIEW = /^pull_request|^issue|^discussion|^commit_comment|^check_|^deployment_review/;

const github = defineSource('github', {
  provider,
  secret: 'GITHUB_WEBHOOK_SECRET',
  route: ({ headers: { 'x-github-event': event = '' } }) => {
    if (SECURITY.test(event)) return { queue: githubSecurity };
    return { queue: REVIEW.test(event) ? githubReview : githubActivity };
  },
});

export const sources = [github];
