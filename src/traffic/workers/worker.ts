import { openRelay } from '../relay/relay.ts';
import { serve } from './serve.ts';

/** The program that each worker runs. */
serve(openRelay);
