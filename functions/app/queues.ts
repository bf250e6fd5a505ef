/** This deployment's queues: the file to edit first. A queue with a handler is drained by the Worker. */

import { githubActivity, githubReview, githubSecurity } from './github.ts';
import { confirmationEmail, notificationEmail } from './mail.ts';

export const queues = [confirmationEmail, notificationEmail, githubSecurity, githubReview, githubActivity];
