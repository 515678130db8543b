import { WorkersRig } from './rig.ts';

// A Ringmaster to be killed: it says which workers it has, and where.
const rig = await new WorkersRig({ count: 3 }).open();
process.stdout.write(`${JSON.stringify({ pids: rig.workers.pids, port: rig.port })}\n`);
