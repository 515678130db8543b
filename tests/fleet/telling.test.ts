import { describe, expect, test } from 'bun:test';
import { failure, Rig, endRigs } from './rig.ts';

endRigs();

interface Told {
  readonly replica: string;
  readonly from: string;
  readonly to: string;
  readonly why: string;
}

/** What the log says of changes, to who does not look closer. */
function told(rig: Rig): string[] {
  return rig.lines
    .filter(({ level, fields }) => level !== 'debug' && 'to' in fields)
    .map(({ level, fields }) => {
      expect(Object.keys(fields)).toEqual(['replica', 'from', 'to', 'why']);
      const { replica, from, to, why } = fields as Told;
      return `${level}: ${replica} ${from} > ${to}, ${why}`;
    });
}

/** What has happened, by the journal, but for what lies between two changes. */
function happened(rig: Rig): string[] {
  return rig.fleet.journal
    .since(0)
    .filter(({ what }) => what !== 'restarting')
    .map(({ replica, what }) => `${replica} ${what}`);
}

describe('each change of who is in, or on the ring, is one line of the log with its cause:', () => {
  async function opened(): Promise<Rig> {
    const rig = new Rig({ config: { replicas: 1 } });
    await rig.open();
    return rig;
  }

  /** What a step has added to the journal, and to the log. */
  async function after(rig: Rig, act: () => unknown): Promise<{ happened: string[]; told: string[] }> {
    const before = { happened: happened(rig).length, told: told(rig).length };
    await act();
    return { happened: happened(rig).slice(before.happened), told: told(rig).slice(before.told) };
  }

  test('joins', async () => {
    const rig = await opened();
    expect(told(rig)).toEqual(['info: server-1 starting > ready, among the first']);
    expect(await after(rig, () => rig.add(2, 'a', 'b'))).toEqual({
      happened: ['a joined', 'b joined'],
      told: ['info: a starting > ready, was added', 'info: b starting > ready, was added'],
    });
  });

  test('a death, and its healing', async () => {
    const rig = await opened();
    expect(
      await after(rig, async () => {
        rig.engine.kill('server-1');
        await rig.clock.advance(1000);
      }),
    ).toEqual({
      happened: ['server-1 died', 'server-1 healed'],
      told: [
        'warn: server-1 ready > waiting, its instance ended',
        'info: server-1 starting > ready, its new instance answers',
      ],
    });
  });

  test('a restart that fails', async () => {
    const rig = await opened();
    const faults = ['fails', undefined] as const;
    let starts = 0;
    rig.engine.startFault = () => faults[starts++];
    expect(
      (
        await after(rig, async () => {
          rig.engine.kill('server-1');
          await rig.clock.advance(5000);
        })
      ).told,
    ).toEqual([
      'warn: server-1 ready > waiting, its instance ended',
      'warn: server-1 starting > waiting, no such image',
      'info: server-1 starting > ready, its new instance answers',
    ]);
  });

  test('an ejection, and the way back', async () => {
    const rig = await opened();
    expect(
      await after(rig, async () => {
        rig.engine.pause('server-1');
        await rig.clock.advance(10);
        rig.engine.resume('server-1');
        await rig.clock.advance(2000);
      }),
    ).toEqual({
      happened: ['server-1 ejected', 'server-1 back'],
      told: ['warn: server-1 ready > ejected, paused', 'info: server-1 ejected > ready, answers again'],
    });
  });

  test('a leave', async () => {
    const rig = await opened();
    expect(await after(rig, () => rig.remove(1))).toEqual({
      happened: ['server-1 draining', 'server-1 left'],
      told: [
        'info: server-1 ready > draining, is being removed',
        'info: server-1 draining > gone, is drained and gone',
      ],
    });
  });

  test('a leave that fails', async () => {
    const rig = await opened();
    rig.engine.removeFault = () => new Error('device busy');
    expect(
      await after(rig, async () => {
        await failure(rig.remove(1));
        await rig.clock.advance(2000);
      }),
    ).toEqual({
      happened: ['server-1 draining', 'server-1 stayed', 'server-1 back'],
      told: [
        'info: server-1 ready > draining, is being removed',
        'warn: server-1 draining > ejected, could not be removed',
        'info: server-1 ejected > ready, answers again',
      ],
    });
    rig.engine.removeFault = () => undefined;
  });

  test('the end', async () => {
    const rig = await opened();
    expect((await after(rig, () => rig.close())).told).toEqual([
      'info: server-1 ready > draining, Ringmaster ends',
      'info: server-1 draining > gone, is drained and gone',
    ]);
  });
});
