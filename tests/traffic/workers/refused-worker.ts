import { serve } from '../../../src/traffic/workers/serve.ts';

// One whose relay can't have the port: somebody took it since it was looked at.
serve(() => {
  throw Object.assign(new Error('Failed to listen'), { code: 'EADDRINUSE' });
});
