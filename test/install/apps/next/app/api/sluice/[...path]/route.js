import { serve } from 'sluice/next';
import { sluice } from '../../../../sluice.js';

export const { GET, POST, PUT, PATCH, DELETE, OPTIONS } = serve(sluice);
