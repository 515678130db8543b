/**
 * The load, in a process of its own so that it can have cores of its own. A line of JSON on stdin is an order, a line on
 * stdout what came of it; ends with stdin.
 */
import { createInterface } from 'node:readline';
import { Crowd, type CrowdFigures } from './crowd.ts';
import type { Order } from './driver.ts';
import { Load, type LoadFigures } from './load.ts';

const crowd = new Crowd();

function carryOut(order: Order): Promise<LoadFigures | CrowdFigures> | CrowdFigures {
  switch (order.kind) {
    case 'load':
      return new Load(order).run();
    case 'gather':
      return crowd.gather(order);
    case 'count':
      return crowd.figures;
    case 'drop':
      crowd.drop();
      return crowd.figures;
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const result = await carryOut(JSON.parse(line) as Order);
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
process.exit();
