import { serve } from '../../../src/traffic/workers/serve.ts';
import { openClaimingRelay } from './claiming-relay.ts';

serve(openClaimingRelay);
