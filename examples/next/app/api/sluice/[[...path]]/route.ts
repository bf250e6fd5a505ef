/** The HTTP API, the webhooks and the dashboard, below /api/sluice. */
import { serve } from 'sluice/next';
import { sluice } from '../../../../sluice';

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = serve(sluice);
