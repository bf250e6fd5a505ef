/** The bindings of this deployment: Sluice's own are in docs/configuration.md, add yours here. */
export interface Env {
  UPSTASH_REDIS_REST_URL: string;
  UPSTASH_REDIS_REST_TOKEN: string;
  SLUICE_TOKEN?: string;
  SLUICE_TOKENS?: string;
  /** What signs deliveries of `webhook.out`: `whsec_…`, while they are exchanged two with a blank between, the new one first. */
  WEBHOOK_OUT_SECRETS?: string;
  /** What GitHub signs with; without it `/hooks/github` is closed. A secret. */
  GITHUB_WEBHOOK_SECRET?: string;
  /** Where the example handlers POST what they did. Without it they write a line to the log. */
  OUTBOX_URL?: string;
}
