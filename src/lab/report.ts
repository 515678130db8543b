import { MAGLEV_SLOTS } from '../ring/maglev.ts';
import { POINTS_PER_REPLICA } from '../ring/ring.ts';
import { counted, list } from '../dashboard/page/format.js';
import { columnChart, figure, lineChart, rowChart, type Series } from './chart.ts';
import { FEW } from './course-study.ts';
import { diagnosisSection } from './diagnosis-section.ts';
import { LOAD_CONCURRENCY } from './load.ts';
import { Markup, markup } from './markup.ts';
import type { LabAlgorithm } from './options.ts';
import type { LiveResult, Results } from './results.ts';
import { balanceOf, chanceOf, evenShares, expectedDeviation, medianOf } from './statistics.ts';
import { algorithmColour, NEUTRAL, serverColour, STYLE } from './style.ts';
import { figureWith, percent, section, table } from './writing.ts';

/** Why each algorithm is as even as it is. */
const WHY: Readonly<Record<LabAlgorithm, string>> = {
  ring: `each replica has ${POINTS_PER_REPLICA} points at random places of the ring, and owns the arcs before them. Arcs differ by chance, so shares do too, by about 1/√${POINTS_PER_REPLICA}: ${percent(1 / Math.sqrt(POINTS_PER_REPLICA))} of a share.`,
  maglev: `replicas take turns to fill a table of ${figure(MAGLEV_SLOTS)} slots, so each has the same number of them, give or take one. What is left is chance. The price: when one joins or leaves, a few keys move between others too.`,
  rendezvous:
    'for each key every replica draws a number from a hash of both, and the largest wins. Each is as likely to win as any other, so only chance is left. The price: N hashes for each key.',
  course: `the hash functions of the assignment put nearly all requests on one server. The section “Diagnosis” explains why, and how to cure it.`,
};

/** The report as one HTML page that needs nothing else: no script, no font, no picture of another place. */
export function reportOf(results: Results): string {
  const { options, date, live } = results;
  const algorithms = live.map(({ algorithm }) => algorithm).join(', ');
  const runtime = live[0]?.runtime === 'docker' ? 'Docker containers' : 'processes on this machine';
  const page = markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Lab report: a customizable load balancer</title>
<style>${new Markup(STYLE)}</style>
</head>
<body>
<main>
<h1>Lab report: a customizable load balancer</h1>
<p class="lead">The four analyses of the assignment “Implementing a Customizable Load Balancer”, measured on a running Ringmaster with ${algorithms}; ${date.slice(0, 10)}, replicas as ${runtime}.</p>
${findings(results)}
${setUp(results)}
${even(results)}
${growing(results)}
${endpoints(results)}
${hashFunctions(results)}
${diagnosisSection(results.diagnosis)}
${section('again', 'Do it again', markup`<p>This command gives the same figures, except times: <code>${commandOf(options)}</code>. The CSV files beside this page hold all that was measured. <code>bun run lab grade URL</code> checks an implementation of your own.</p>`)}
</main>
</body>
</html>
`;
  return page.text;
}

function commandOf({
  requests,
  replicas: [from, to],
  algorithms,
  runtime,
  seed,
}: Results['options']): string {
  return `bun run lab --requests ${requests} --replicas ${from}..${to} --algorithms ${algorithms.join(',')} --runtime ${runtime} --seed ${seed}`;
}

/** Chance that is this small is no explanation any more. */
const CHANCE_MIN = 0.01;
/** Of a map: what its largest share is over the mean, where that is nothing. */
const EVEN_MAP_MAX = 1.005;
/** Fewer say nothing, whatever is computed from them. */
const REQUESTS_PER_SERVER_MIN = 5;

const TOO_FEW = `There are too few requests to judge, fewer than ${REQUESTS_PER_SERVER_MIN} for each server: take 1,000 or more.`;

/** Whether all that was measured can be judged. */
function isEnough({ options, numbers }: Results): boolean {
  return options.requests >= REQUESTS_PER_SERVER_MIN * Math.max(FEW, ...numbers);
}

/** Who is even and who is not, and what of that is the map's: the rest is chance, and nobody's merit. */
function evenness(results: Results): Markup {
  if (!isEnough(results)) return markup`<li>${TOO_FEW}</li>`;
  const found = results.live
    .map(({ algorithm, even: { counts, shares } }) => ({
      algorithm,
      times: balanceOf(counts).largestOverMean,
      largestShare: Math.max(...shares),
    }))
    .toSorted((a, b) => a.times - b.times);
  const even = found.filter(({ largestShare }) => largestShare * FEW <= EVEN_MAP_MAX);
  const times = [...new Set([even[0], even.at(-1)].map((one) => one?.times.toFixed(2)))].join(' to ');
  const uneven = found
    .filter((one) => !even.includes(one))
    .map(
      ({ algorithm, times: own, largestShare }) =>
        markup`<li>With ${algorithm} the busiest of ${FEW} servers has ${own.toFixed(2)} times the mean. Its map gives one server ${percent(largestShare)} of the keys, where ${percent(1 / FEW)} is fair; the rest is chance.</li>`,
    );
  return markup`${
    even.length === 0
      ? undefined
      : markup`<li>With ${list(even.map(({ algorithm }) => algorithm))} the busiest of ${FEW} servers has ${times} times the mean. ${even.length === 1 ? 'The map is' : 'These maps are'} even, so this is chance${even.length === 1 ? '' : ', and which is ahead is luck'}.</li>
`
  }${uneven}`;
}

function findings(results: Results): Markup {
  const { live } = results;
  const lost = live
    .flatMap(({ even: first, grown }) => [first, ...grown])
    .reduce((sum, one) => sum + one.failed, 0);
  const kills = live.flatMap((one) => one.kills);
  const back = medianOf(kills.map(({ healedMs }) => healedMs));
  const failedPoints = live.reduce((sum, one) => sum + one.endpoints.failed, 0);
  return section(
    'findings',
    'Results',
    markup`<ul>
${evenness(results)}
<li>${lost === 0 ? 'No request was lost while replicas were added and removed.' : `${counted(lost, 'request')} failed while nothing was killed: that should not be.`}</li>
${
  back === undefined
    ? undefined
    : markup`<li>A replica that is killed is back after ${ms(back)} (median of ${counted(kills.length, 'kill')}); of the ${figure(kills.reduce((sum, one) => sum + one.sent, 0))} requests that came meanwhile ${figure(kills.reduce((sum, one) => sum + one.failed, 0))} failed.</li>`
}
<li>${failedPoints === 0 ? 'Every endpoint answers as the assignment says, wrong input included.' : `${counted(failedPoints, 'point')} of the contract failed: see A-3.`}</li>
<li>The hash functions of the assignment spread requests unevenly, and Φ is to blame first: see “Diagnosis”.</li>
</ul>`,
  );
}

function setUp({ options, numbers }: Results): Markup {
  return section(
    'set-up',
    'What was set up',
    markup`<p>For each algorithm a Ringmaster of its own was started, with replicas that are real servers. Requests are <code>GET /home?id=…</code> with random ids of six digits (seed ${options.seed}; the same ids for each algorithm), sent to the traffic port, ${LOAD_CONCURRENCY} at a time, without a wait between them. Who answered is read from the reply, “Hello from Server: …”.</p>
<dl>
<dt>Mean</dt><dd>Requests per server: all requests over the number of servers.</dd>
<dt>Standard deviation</dt><dd>How far servers are from the mean: the root of the mean squared distance. With M requests on N servers, each equally likely, it is about √(M (N − 1)) / N by chance alone: for ${counted(options.requests, 'request')} on ${FEW} servers ${figure(expectedDeviation(options.requests, evenShares(FEW)))}. Hashing can not do better, except by luck. Clearly more than this comes from the map.</dd>
<dt>Largest over mean</dt><dd>The busiest server over the mean. It says how much you pay for without using it: at 1.5, when the busiest server is full, only two thirds of all that you pay for is used.</dd>
</dl>
<p class="note">Numbers of servers that are compared: ${numbers.join(', ')}.</p>`,
  );
}

function even(results: Results): Markup {
  const { options, live } = results;
  const due = options.requests / FEW;
  const chance = expectedDeviation(options.requests, evenShares(FEW));
  const chart = columnChart({
    id: 'a1',
    title: `A-1: requests per server, ${counted(options.requests, 'request')} on ${FEW} servers`,
    description: live
      .map(
        ({ algorithm, even: { names, counts } }) =>
          `${algorithm}: ${names.map((name, i) => `${name} ${counts[i]}`).join(', ')}`,
      )
      .join('; '),
    groups: live.map(({ algorithm, even: { counts } }) => ({
      label: algorithm,
      columns: counts.map((value, i) => ({ label: String(i + 1), value, colour: serverColour(i) })),
    })),
    reference: { value: due, label: `${figure(due)}: a fair share, 1/${FEW} of all` },
    yLabel: 'requests',
  });
  const rows = live.map(({ algorithm, even: { counts, shares, failed, astray } }) => {
    const { deviation, largestOverMean } = balanceOf(counts);
    return [
      algorithm,
      ...counts.map((count) => figure(count)),
      figure(deviation),
      figure(expectedDeviation(options.requests, shares)),
      largestOverMean.toFixed(2),
      failed,
      astray,
    ];
  });
  const seen = live.map(({ algorithm, even: { counts, shares } }) => {
    const { deviation, largestShare } = balanceOf(counts);
    return markup`<li><b>${algorithm}</b>: the busiest server got ${percent(largestShare)} (the map gives it ${percent(shares[counts.indexOf(Math.max(...counts))] ?? 0)}), and the deviation is ${(deviation / chance).toFixed(1)} times what chance makes. Chance alone is at least as uneven in ${chanceText(counts)}. Why: ${WHY[algorithm]}</li>`;
  });
  return section(
    'a-1',
    'A-1: how even are three servers?',
    markup`<p><b>Asked:</b> send ${counted(options.requests, 'asynchronous request')} to ${FEW} servers, and show how many each has handled.</p>
${figureWith(chart, markup`Columns 1 to ${FEW} are server-1 to server-${FEW}.`)}
${table({
  id: 'a1-table',
  caption: `Requests per server. “By the map” is the deviation to be expected from the shares that the map gives; “astray” are requests that were answered by another server than the map names`,
  head: [
    '',
    ...Array.from({ length: FEW }, (_, i) => `server-${i + 1}`),
    'deviation',
    'by the map',
    'largest/mean',
    'failed',
    'astray',
  ],
  rows,
})}
<p>${checked(live)}</p>
<p><b>Seen:</b> a fair share is 1/${FEW}, which is ${figure(due)} requests; chance makes a deviation of ${figure(chance)}.</p>
${isEnough(results) ? markup`<ul>${seen}</ul>` : markup`<p>${TOO_FEW}</p>`}`,
  );
}

/** How many runs are as uneven without any fault of the map. */
function chanceText(counts: readonly number[]): string {
  const chance = chanceOf(counts);
  return chance < CHANCE_MIN ? `fewer than 1 of ${1 / CHANCE_MIN} runs` : `${percent(chance)} of all runs`;
}

/** Whether the servers that answered are those that the maps name. */
function checked(live: readonly LiveResult[]): string {
  const astray = live.reduce((sum, one) => sum + one.even.astray, 0);
  return astray === 0
    ? 'Each answer was compared with the map, computed apart from the balancer: every request went where it belongs.'
    : `Each answer was compared with the map, computed apart from the balancer: ${astray} requests went elsewhere, as they do when a replica is not ready.`;
}

function growing(results: Results): Markup {
  const { options, live, numbers } = results;
  const chance = (servers: number): number => expectedDeviation(options.requests, evenShares(servers));
  const own = (pick: (one: LiveResult['grown'][number]) => number): Series[] =>
    live.map(({ algorithm, grown }) => ({
      label: algorithm,
      colour: algorithmColour(algorithm),
      points: grown.map((one) => ({ x: one.names.length, y: pick(one) })),
    }));
  const sizes = live[0]?.grown.map(({ names }) => names.length) ?? numbers;
  const expected = (label: string, y: (servers: number) => number): Series => ({
    label,
    colour: NEUTRAL,
    expected: true,
    points: sizes.map((x) => ({ x, y: y(x) })),
  });
  const described = (what: string, pick: (one: LiveResult['grown'][number]) => number): string =>
    `${what} for ${sizes.join(', ')} servers. ${live.map(({ algorithm, grown }) => `${algorithm}: ${grown.map((one) => figure(pick(one))).join(', ')}`).join('; ')}`;
  const busiest = lineChart({
    id: 'a2-mean',
    title: 'A-2: mean, and requests of the busiest server',
    description: described('Requests of the busiest server', ({ counts }) => Math.max(...counts)),
    series: [
      expected('mean', (servers) => options.requests / servers),
      ...own(({ counts }) => Math.max(...counts)),
    ],
    xLabel: 'servers',
    yLabel: 'requests',
    scale: 'linear',
  });
  const deviation = lineChart({
    id: 'a2-deviation',
    title: 'A-2: standard deviation of the requests per server',
    description: described('Standard deviation', ({ counts }) => balanceOf(counts).deviation),
    // Of one server there is no deviation, and on this scale no place for none.
    series: [expected('chance alone', chance), ...own(({ counts }) => balanceOf(counts).deviation)].map(
      (one) => ({
        ...one,
        points: one.points.filter(({ x }) => x > 1),
      }),
    ),
    xLabel: 'servers',
    yLabel: 'requests (logarithmic scale)',
    scale: 'log',
  });
  const rows = live.flatMap(({ algorithm, grown }) =>
    grown.map(({ names, counts, failed, moved }) => {
      const { mean, deviation: found, largestOverMean } = balanceOf(counts);
      const due = 1 / names.length;
      return [
        algorithm,
        names.length,
        figure(mean),
        figure(found),
        figure(chance(names.length)),
        largestOverMean.toFixed(2),
        moved === undefined ? '' : percent(moved),
        moved === undefined ? '' : percent(due),
        failed,
      ];
    }),
  );
  return section(
    'a-2',
    'A-2: what changes with more servers?',
    markup`<p><b>Asked:</b> ${counted(options.requests, 'request')} for each number of servers from ${sizes[0]} to ${sizes.at(-1)}, with mean and standard deviation. <b>Done:</b> the same Ringmaster grew by <code>POST /add</code>, one server at a time, and got the same ids each time.</p>
${figureWith(busiest, markup`The mean is the same for all, M/N. The closer the busiest server is to it, the better.`)}
${figureWith(deviation, markup`Dashed: √(M (N − 1)) / N, which no hash function can be below, except by luck.`)}
${table({
  id: 'a2-table',
  caption:
    'Mean and deviation per server, and what moved to another server when one joined; due: the fair share of the new server, 1/N',
  head: ['', 'servers', 'mean', 'deviation', 'by chance', 'largest/mean', 'moved', 'due', 'failed'],
  rows,
})}
${isEnough(results) ? grownSeen(results, chance) : markup`<p>${TOO_FEW}</p>`}`,
  );
}

/** What there is to see with more and more servers; of one number alone there is nothing. */
function grownSeen({ live }: Results, chance: (servers: number) => number): Markup {
  const rows = live.map(({ algorithm, grown }) => {
    const several = grown.filter(({ names }) => names.length > 1);
    const ratios = several.map(({ names, counts }) => balanceOf(counts).deviation / chance(names.length));
    const joined = grown.flatMap(({ moved, names }) =>
      moved === undefined ? [] : [{ moved, due: 1 / names.length }],
    );
    const mean = (pick: (one: (typeof joined)[number]) => number): string =>
      joined.length === 0 ? '' : percent(joined.reduce((sum, one) => sum + pick(one), 0) / joined.length);
    return [algorithm, rangeOf(ratios), mean(({ moved }) => moved), mean(({ due }) => due)];
  });
  return markup`<p><b>Seen:</b></p>
${table({
  id: 'a2-seen-table',
  caption:
    'Of each algorithm: its deviation over what chance makes, and what moved on average when a server joined',
  head: ['', 'deviation / chance', 'moved', 'due'],
  rows,
})}
<p><b>Why:</b> where the map is even, the deviation is what chance makes, about 1. A map that is uneven adds its own part, the more the more requests there are. In consistent hashing a server that joins takes keys from the others and gives none, so about 1/N moves, and caches of the others stay warm. With <code>id mod N</code>, 1 − 1/N of the ids would move, nearly all for large N. A map that gives the new server less than its due moves less, and is no better for it: the deviation tells.</p>`;
}

function rangeOf(values: readonly number[]): string {
  if (values.length === 0) return '';
  const [least, most] = [Math.min(...values).toFixed(1), Math.max(...values).toFixed(1)];
  return least === most ? least : `${least} to ${most}`;
}

const SIGNS = { pass: '✓ pass', fail: '✗ fail', 'not tried': '– not tried' } as const;

function endpoints({ live }: Results): Markup {
  const points = live[0]?.endpoints.points ?? [];
  const marks = points.map(({ id, asks, came }, i) => [
    markup`<span id="point-${id}">${asks}</span>`,
    came,
    ...live.map((one) => {
      const mark = one.endpoints.points[i]?.mark ?? 'not tried';
      return markup`<span class="${mark === 'not tried' ? 'note' : mark}">${SIGNS[mark]}</span>`;
    }),
  ]);
  const summary = live.map(({ algorithm, kills }) => {
    const healed = kills.map(({ healedMs }) => healedMs);
    return { algorithm, median: medianOf(healed) ?? 0, max: Math.max(0, ...healed) };
  });
  const chart = rowChart({
    id: 'a3-kills',
    title: 'A-3: time until a killed replica is back',
    description: summary
      .map(({ algorithm, median, max }) => `${algorithm}: median ${ms(median)}, longest ${ms(max)}`)
      .join('; '),
    rows: summary.map(({ algorithm, median, max }) => ({
      label: algorithm,
      value: median,
      stroke: max,
      colour: algorithmColour(algorithm),
      text: `${ms(median)} (${ms(max)})`,
    })),
  });
  const kills = live.flatMap(({ algorithm, kills: each }) =>
    each.map(({ victim, noticedMs, healedMs, answersMs, sent, failed }) => [
      algorithm,
      victim,
      noticedMs === undefined ? '' : ms(noticedMs),
      ms(healedMs),
      answersMs === undefined ? 'has no key' : ms(answersMs),
      figure(sent),
      figure(failed),
    ]),
  );
  const failed = live.flatMap((one) => one.kills).reduce((sum, one) => sum + one.failed, 0);
  return section(
    'a-3',
    'A-3: does every endpoint work, and what if a server dies?',
    markup`<p><b>Asked:</b> try all endpoints, and show that a server that fails is replaced quickly. <b>Done:</b> each call of the contract was made, with right and with wrong input, and the list of servers was looked at after each.</p>
${table({
  id: 'endpoints-table',
  caption: `Each point of the contract. What came is of ${live[0]?.algorithm ?? 'nobody'}`,
  head: ['asked', 'came', ...live.map(({ algorithm }) => algorithm)],
  rows: marks,
  text: 2,
})}
<p>Then replicas were killed by force, one after the other, while four clients went on sending requests. <b>Noticed</b> is when the replica is no longer ready on the map, <b>back</b> when it is ready again under its old name, <b>answers</b> when it first answers a key of its own.</p>
${figureWith(chart, markup`Bar: median of the kills. Stroke, and in brackets: the longest.`)}
${table({
  id: 'kills-table',
  caption: 'Each kill, times from the moment of the kill',
  head: ['', 'killed', 'noticed', 'back', 'answers', 'requests', 'failed'],
  rows: kills,
})}
${recoverySeen(live, failed)}`,
  );
}

function recoverySeen(live: readonly LiveResult[], failed: number): Markup {
  const kills = live.flatMap((one) => one.kills);
  if (kills.length === 0) return markup`<p>There was no server to kill.</p>`;
  const isAlone = Math.max(...live.map(({ grown }) => grown.at(-1)?.names.length ?? 0)) === 1;
  const others = isAlone
    ? markup`With one replica there is no other to ask: requests fail until it is back.`
    : markup`A request that the dead server did not answer goes to the next on the map, as <code>GET</code> may be repeated.`;
  return markup`<p><b>Seen:</b> ${failed === 0 ? 'no request failed' : `${counted(failed, 'request')} failed`} while replicas died. <b>Why:</b> nobody waits for heartbeats to be missed. The system tells of the end of a process at once, and a container engine within a fraction of a second. ${others} The replica comes back under its own name, so its keys come back to it; with <code>ring</code> and <code>rendezvous</code> no other key moves at all. Most of the time goes into the start of a server on this machine, and the algorithm has no part in it: do not compare the bars.</p>`;
}

function hashFunctions(results: Results): Markup {
  const { options, live, variants } = results;
  const at = variants.flatMap(({ title, what, placed }) => {
    const counts = placed.find(({ servers }) => servers === FEW)?.counts;
    return counts === undefined ? [] : [{ title, what, balance: balanceOf(counts) }];
  });
  const rows = [
    ...at.map(({ title, balance }) => ({ label: `assignment, ${title}`, balance, colour: NEUTRAL })),
    ...live.map(({ algorithm, even: { counts } }) => ({
      label: `${algorithm}, live`,
      balance: balanceOf(counts),
      colour: algorithmColour(algorithm),
    })),
  ];
  const chart = rowChart({
    id: 'a4',
    title: `A-4: the busiest of ${FEW} servers over the mean`,
    description: rows
      .map(({ label, balance }) => `${label}: ${balance.largestOverMean.toFixed(2)}`)
      .join('; '),
    rows: rows.map(({ label, balance, colour }) => ({
      label,
      value: balance.largestOverMean,
      colour,
      text: balance.largestOverMean.toFixed(2),
    })),
    reference: { value: 1, label: '1: all have the same' },
  });
  const numbers = variants[0]?.placed.map(({ servers }) => servers) ?? [];
  const figures = [
    ...variants.map(({ title, what, placed }) => [
      markup`${title}<br><span class="note">${what}</span>`,
      ...placed.map(({ counts }) => (counts === undefined ? 'no room' : balanceText(counts))),
    ]),
    ...live.map(({ algorithm, grown }) => [
      `${algorithm}, live`,
      ...numbers.map((servers) => {
        const counts = grown.find(({ names }) => names.length === servers)?.counts;
        return counts === undefined ? '' : balanceText(counts);
      }),
    ]),
  ];
  return section(
    'a-4',
    'A-4: what do other hash functions change?',
    markup`<p><b>Asked:</b> change H and Φ, and do A-1 and A-2 again. <b>Done:</b> the map of the assignment was built with other functions and other sizes, and the same ids were placed on it (${figure(options.requests)}); this is computed, as placing a key takes no server. At the end of the table is what was measured live.</p>
${figureWith(chart, '')}
${table({
  id: 'a4-table',
  caption: 'Largest over mean, and the deviation in brackets, for each number of servers',
  head: ['', ...numbers.map((servers) => `N = ${servers}`)],
  rows: figures,
})}
${
  isEnough(results)
    ? markup`<p><b>Seen:</b> another H alone changes little, another Φ alone changes most, and more virtual servers do the rest. The next section explains <b>why</b>.</p>`
    : markup`<p>${TOO_FEW}</p>`
}`,
  );
}

function balanceText(counts: readonly number[]): string {
  const { largestOverMean, deviation } = balanceOf(counts);
  return `${largestOverMean.toFixed(2)} (${figure(Math.round(deviation))})`;
}

function ms(value: number): string {
  return value >= 10_000 ? `${(value / 1000).toFixed(1)} s` : `${figure(Math.round(value))} ms`;
}
