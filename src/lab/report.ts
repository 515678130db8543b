import { MAGLEV_SLOTS } from '../ring/maglev.ts';
import { POINTS_PER_REPLICA } from '../ring/ring.ts';
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
  ring: `each replica has ${POINTS_PER_REPLICA} points at random places of the ring, and owns the arcs before them. Arcs differ by chance, so shares do too: by about 1/√${POINTS_PER_REPLICA}, which is ${percent(1 / Math.sqrt(POINTS_PER_REPLICA))} of a share.`,
  maglev: `replicas take turns to fill a table of ${MAGLEV_SLOTS} slots, so each has the same number of them, give or take one. What is left is chance. The price: when one joins or leaves, a few keys move between others too.`,
  rendezvous:
    'for each key every replica draws a number from a hash of both, and the largest wins. Each is as likely to win as any other, so only chance is left. The price: N hashes for each key.',
  course: `the hash functions of the assignment put nearly all requests on one server. Why, and what cures it, is the section “Diagnosis”.`,
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
${section('again', 'Do it again', markup`<p>The same figures, but for times, come of <code>${commandOf(options)}</code>. The CSV files beside this page hold every figure of it. <code>bun run lab grade URL</code> checks an implementation of your own.</p>`)}
</main>
</body>
</html>
`;
  return page.text;
}

function commandOf({ requests, replicas: [from, to], algorithms, seed }: Results['options']): string {
  return `bun run lab --requests ${requests} --replicas ${from}..${to} --algorithms ${algorithms.join(',')} --seed ${seed}`;
}

/** Chance that is this small is no explanation any more. */
const CHANCE_MIN = 0.01;

/** Who is as even as can be, and who is not: what chance may have made is nobody's merit. */
function evenness(live: readonly LiveResult[]): Markup {
  const found = live
    .map(({ algorithm, even: { counts } }) => ({
      algorithm,
      ...balanceOf(counts),
      isChance: chanceOf(counts) >= CHANCE_MIN,
    }))
    .toSorted((a, b) => a.largestOverMean - b.largestOverMean);
  const even = found.filter(({ isChance }) => isChance);
  const times = [even[0], even.at(-1)].map((one) => one?.largestOverMean.toFixed(2));
  const luck = even.length > 1 ? ', and who of them is ahead is luck' : '';
  const uneven = found
    .filter(({ isChance }) => !isChance)
    .map(
      ({ algorithm, largestOverMean, largestShare }) =>
        markup`<li>With ${algorithm} the busiest of ${FEW} servers has ${largestOverMean.toFixed(2)} times the mean, ${percent(largestShare)} of all requests: more than chance makes, so it is the map.</li>`,
    );
  return markup`${
    even.length === 0
      ? undefined
      : markup`<li>${FEW} servers are as even as chance lets them be with ${listed(even.map(({ algorithm }) => algorithm))}: the busiest has ${[...new Set(times)].join(' to ')} times the mean${luck}.</li>
`
  }${uneven}`;
}

function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}

function findings({ live }: Results): Markup {
  const lost = live
    .flatMap(({ even: first, grown }) => [first, ...grown])
    .reduce((sum, one) => sum + one.failed, 0);
  const kills = live.flatMap((one) => one.kills);
  const back = medianOf(kills.map(({ healedMs }) => healedMs));
  const failedPoints = live.reduce((sum, one) => sum + one.endpoints.failed, 0);
  return section(
    'findings',
    'What came out',
    markup`<ul>
${evenness(live)}
<li>${lost === 0 ? 'No request was lost while replicas were added and removed.' : `${lost} requests were lost while nothing was killed: that should not be.`}</li>
${
  back === undefined
    ? undefined
    : markup`<li>A replica that is killed is back after ${ms(back)} (median of ${kills.length} kills); of the ${figure(kills.reduce((sum, one) => sum + one.sent, 0))} requests that came meanwhile ${figure(kills.reduce((sum, one) => sum + one.failed, 0))} failed.</li>`
}
<li>${failedPoints === 0 ? 'Every endpoint answers as the assignment says, wrong input included.' : `${failedPoints} points of the contract failed: see A-3.`}</li>
<li>The hash functions of the assignment are not even, and it is Φ that is to blame first: see “Diagnosis”.</li>
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
<dt>Standard deviation</dt><dd>How far servers are from the mean, as the root of the mean of the squares. With M requests on N servers that are all as likely, it is about √(M (N − 1)) / N by chance alone: for ${figure(options.requests)} requests on ${FEW} servers ${figure(expectedDeviation(options.requests, evenShares(FEW)))}. Less is not to be had by hashing, but by luck; more is the fault of the map.</dd>
<dt>Largest over mean</dt><dd>The busiest server over the mean. It says how many servers you pay for without use: at 1.5 the busiest is full when the others are at two thirds.</dd>
</dl>
<p class="note">Numbers of servers that are compared: ${numbers.join(', ')}.</p>`,
  );
}

function even({ options, live }: Results): Markup {
  const due = options.requests / FEW;
  const chance = expectedDeviation(options.requests, evenShares(FEW));
  const chart = columnChart({
    id: 'a1',
    title: `A-1: requests per server, ${figure(options.requests)} requests on ${FEW} servers`,
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
    return markup`<li><b>${algorithm}</b>: the busiest server got ${percent(largestShare)} (the map gives it ${percent(shares[counts.indexOf(Math.max(...counts))] ?? 0)}), and the deviation is ${(deviation / chance).toFixed(1)} times what chance makes: alone it is as uneven in ${chanceText(counts)}. Why: ${WHY[algorithm]}</li>`;
  });
  return section(
    'a-1',
    'A-1: how even are three servers?',
    markup`<p><b>Asked:</b> send ${figure(options.requests)} asynchronous requests to ${FEW} servers, and show how many each has handled.</p>
${figureWith(chart, markup`Columns 1 to ${FEW} are server-1 to server-${FEW}.`)}
${table({
  id: 'a1-table',
  caption: `Requests per server. “By the map” is the deviation to be expected from the shares that the map gives; “astray” are requests that another server answered than the map names`,
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
<ul>${seen}</ul>`,
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

function growing({ options, live, numbers }: Results): Markup {
  const chance = (servers: number): number => expectedDeviation(options.requests, evenShares(servers));
  const own = (pick: (one: LiveResult['grown'][number]) => number): Series[] =>
    live.map(({ algorithm, grown }) => ({
      label: algorithm,
      colour: algorithmColour(algorithm),
      points: grown.map((one) => ({ x: one.names.length, y: pick(one) })),
    }));
  const counted = live[0]?.grown.map(({ names }) => names.length) ?? numbers;
  const expected = (label: string, y: (servers: number) => number): Series => ({
    label,
    colour: NEUTRAL,
    expected: true,
    points: counted.map((x) => ({ x, y: y(x) })),
  });
  const described = (what: string, pick: (one: LiveResult['grown'][number]) => number): string =>
    `${what} for ${counted.join(', ')} servers. ${live.map(({ algorithm, grown }) => `${algorithm}: ${grown.map((one) => figure(pick(one))).join(', ')}`).join('; ')}`;
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
    series: [expected('chance alone', chance), ...own(({ counts }) => balanceOf(counts).deviation)],
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
    markup`<p><b>Asked:</b> ${figure(options.requests)} requests for each number of servers from ${counted[0]} to ${counted.at(-1)}, with mean and standard deviation. <b>Done:</b> the same Ringmaster grew by <code>POST /add</code>, one server at a time, and got the same ids each time.</p>
${figureWith(busiest, markup`The mean is the same for all, M/N. The closer the busiest server is to it, the better.`)}
${figureWith(deviation, markup`Dashed: √(M (N − 1)) / N, which no hash function can be below, but by luck.`)}
${table({
  id: 'a2-table',
  caption:
    'Mean and deviation per server, and what moved to another server when one joined; due is what the new one has a right to, 1/N',
  head: ['', 'servers', 'mean', 'deviation', 'by chance', 'largest/mean', 'moved', 'due', 'failed'],
  rows,
})}
<p><b>Seen:</b> ${live.map(({ algorithm, grown }) => deviationText(algorithm, grown, chance))} <b>Why:</b> chance falls with N as the formula has it, and a map that is uneven adds its own part, however many requests there are.</p>
<p><b>Seen:</b> ${live.map(({ algorithm, grown }) => movedText(algorithm, grown))} <b>Why:</b> in consistent hashing a server that joins takes keys from the others and gives none, so about 1/N moves: caches of the others stay warm. Of <code>id mod N</code> it would be 1 − 1/N, nearly everything. A map that gives the new server less than its due moves less, and is no better for it: it is the deviation that tells.</p>`,
  );
}

function deviationText(
  algorithm: LabAlgorithm,
  grown: LiveResult['grown'],
  chance: (servers: number) => number,
): string {
  const ratios = grown
    .map(({ names, counts }) => balanceOf(counts).deviation / chance(names.length))
    .filter((ratio) => Number.isFinite(ratio));
  if (ratios.length === 0) return '';
  const [least, most] = [Math.min(...ratios).toFixed(1), Math.max(...ratios).toFixed(1)];
  return `With ${algorithm} the deviation is ${least === most ? least : `${least} to ${most}`} times what chance makes. `;
}

function movedText(algorithm: LabAlgorithm, grown: LiveResult['grown']): string {
  const moved = grown.flatMap(({ moved: part, names }) =>
    part === undefined ? [] : [{ part, due: 1 / names.length }],
  );
  if (moved.length === 0) return '';
  const mean = (pick: (one: (typeof moved)[number]) => number): number =>
    moved.reduce((sum, one) => sum + pick(one), 0) / moved.length;
  return `With ${algorithm} ${percent(mean(({ part }) => part))} of the ids moved for each one that joined, where ${percent(mean(({ due }) => due))} is due. `;
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
  caption: 'Each point of the contract. What came is of the first algorithm',
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
<p><b>Seen:</b> ${failed === 0 ? 'no request failed' : `${failed} requests failed`} while replicas died. <b>Why:</b> the end of a process or a container is told by the system at once, so nobody has to wait for heartbeats to be missed. What was sent to the dead one and got no reply is sent to the next on the map, where there is one, as <code>GET</code> may be repeated. The replica comes back under its own name, so its keys come back to it; with <code>ring</code> and <code>rendezvous</code> no other key moves at all. How long it takes is the start of a server on this machine, whatever else it does at that moment; the algorithm has no part in it, so compare no bars here.</p>`,
  );
}

function hashFunctions({ options, live, variants }: Results): Markup {
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
    markup`<p><b>Asked:</b> change H and Φ, and do A-1 and A-2 again. <b>Done:</b> the map of the assignment was built with other functions and other sizes, and the same ${figure(options.requests)} ids were placed on it; this is computed, as placing a key takes no server. Below are the four algorithms as measured.</p>
${figureWith(chart, '')}
${table({
  id: 'a4-table',
  caption: 'Largest over mean, and the deviation in brackets, for each number of servers',
  head: ['', ...numbers.map((servers) => `N = ${servers}`)],
  rows: figures,
})}
<p><b>Seen:</b> another H alone changes little, another Φ alone changes most, and more virtual servers do the rest. <b>Why</b> is the next section.</p>`,
  );
}

function balanceText(counts: readonly number[]): string {
  const { largestOverMean, deviation } = balanceOf(counts);
  return `${largestOverMean.toFixed(2)} (${figure(Math.round(deviation))})`;
}

function ms(value: number): string {
  return value >= 10_000 ? `${(value / 1000).toFixed(1)} s` : `${Math.round(value)} ms`;
}
