/** Secrets for one machine. */
import { randomBytes } from 'node:crypto';

/** 32 characters. */
export const newSecret = () => randomBytes(24).toString('base64url');

/** Of deliveries, as WEBHOOK_OUT_SECRETS takes it. */
export const newSigningSecret = () => `whsec_${randomBytes(32).toString('base64')}`;
