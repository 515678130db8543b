import { figure, lineChart, slotChart } from './chart.ts';
import { FEW, serverNames, type Anatomy, type Cure, type Diagnosis } from './course-study.ts';
import { markup, type Markup } from './markup.ts';
import { NEUTRAL, serverColour } from './style.ts';
import { figureWith, percent, section, table } from './writing.ts';

/** Slots in a line of the picture. */
const PER_LINE = 64;
const NOTHING = markup``;

/** Why the assignment's map is as it is, and what cures it: every figure is computed from the map itself. */
export function diagnosisSection(diagnosis: Diagnosis): Markup {
  const { anatomies } = diagnosis;
  const few = anatomies.find(({ servers }) => servers === FEW);
  return section(
    'diagnosis',
    'Diagnosis: what is wrong with H and Φ?',
    markup`${theMap(diagnosis, few)}
${ofH(diagnosis)}
${ofPhi(diagnosis, few)}
${everyNumber(diagnosis)}
${cure(diagnosis)}`,
  );
}

function theMap({ slots, virtuals, reached }: Diagnosis, few: Anatomy | undefined): Markup {
  if (few === undefined) return NOTHING;
  const names = serverNames(few.servers);
  const hit = new Set(reached);
  // A slot is of the next virtual server, at it or after it.
  const owners: string[] = [];
  let owner = few.table.find((name) => name !== null) ?? '';
  for (let slot = few.table.length - 1; slot >= 0; slot--) {
    owner = few.table[slot] ?? owner;
    owners[slot] = owner;
  }
  const chart = slotChart({
    id: 'slots',
    title: `The ${slots} slots of the assignment’s map with ${few.servers} servers`,
    description: `${few.servers * virtuals} virtual servers are all between slot ${few.gap.to} and slot ${few.gap.from - 1}. Requests reach ${reached.length} slots. ${few.gap.length} slots in a row, with ${few.reachedInGap} of those that are reached, belong to ${few.gap.owner}.`,
    perLine: PER_LINE,
    slots: few.table.map((name, slot) => ({
      colour: serverColour(names.indexOf(owners[slot] ?? '')),
      virtual: name === null ? undefined : String(names.indexOf(name) + 1),
      reached: hit.has(slot),
    })),
  });
  const keys = names.map(
    (name, i) =>
      markup`<span class="${serverColour(i)}"><span class="key"></span></span>${name}: ${percent(few.shares[i] ?? 0)}${i + 1 < names.length ? '; ' : ''}`,
  );
  return markup`<p>The map has ${slots} slots, numbered at the left. Each server has K = ${virtuals} virtual servers, at the slots Φ(i, j) = i² + j² + 2j + 25. A request falls on slot H(i) = i² + 2i + 17 and belongs to the next virtual server at or after it, round the end.</p>
${figureWith(chart, markup`Full, with a number: a virtual server of that server. Pale: slots that belong to it, as it is the next. Dots: the slots that requests reach. ${keys}.`)}`;
}

function ofH({ slots, reached, hits, squares, larger }: Diagnosis): Markup {
  const bits = Math.log2(slots);
  return markup`<h3>H reaches ${reached.length} of ${slots} slots</h3>
<p>Complete the square: H(i) = (i + 1)² + 16. So requests fall only on slots that are 16 above a square modulo ${slots}, and squares are few. An odd square is 1 modulo 8; an even one is 4 times a square. Counted out, there are (2<sup>${bits - 1}</sup> + ${bits % 2 === 1 ? 5 : 4}) / 3 = ${squares} squares modulo 2<sup>${bits}</sup>, and trying all requests finds ${reached.length} slots. The other ${slots - reached.length} slots, ${percent(1 - reached.length / slots)}, never get a request, and those that do get different numbers of the ${slots} requests that H tells apart: most slots ${hits.usual}, and the most that one gets is ${hits.most}.</p>
<p>That is uneven, but it is not what makes one server busy: the dots above are spread over the whole map. In a table of ${figure(larger.slots)} slots H reaches ${figure(larger.reached)}, which is many more than there are servers.</p>`;
}

function ofPhi({ slots, virtuals, repairs, large, cures }: Diagnosis, few: Anatomy | undefined): Markup {
  if (few === undefined) return NOTHING;
  const { gap, reachedInGap, servers, shares, colliding } = few;
  const span = virtuals ** 2 - 1;
  const busiest = Math.max(...shares);
  const bigSize = cures.findLast(({ hash }) => hash === 'as given');
  const repaired = [
    ['as given', 'i² + (j + 1)² + 24', shares],
    ['only the first fault cured: spread over the map', repairs.spread.formula, repairs.spread.shares],
    ['only the second fault cured: servers far apart', repairs.apart.formula, repairs.apart.shares],
  ] as const;
  return markup`<h3>Φ has two faults</h3>
<p><b>All virtual servers lie in one corner.</b> Φ is of the same shape as H: Φ(i, j) = i² + (j + 1)² + 24. The virtual servers of one server are at squares, 1, 4, 9 … ${virtuals ** 2}, so all ${virtuals} lie within ${span + 1} slots, and i only moves the same pattern along by i². For ${servers} servers all ${servers * virtuals} are between slot ${gap.to} and slot ${(gap.from + slots - 1) % slots}. From there it is ${gap.length} slots to the next one, ${percent(gap.length / slots)} of the map. All of these slots belong to ${gap.owner}, with ${reachedInGap} of the slots that requests reach: this server gets ${percent(busiest)} of the requests.</p>
<p><b>Every server has the same pattern,</b> moved by only i²: 1, 4, 9 slots. So server-1 always comes just before the others, and owns every gap of the pattern, not only the long one. To spread the pattern over the whole map does not help:</p>
${table({
  id: 'repairs-table',
  caption: `Shares of ${servers} servers where only one fault of Φ is cured; H as given`,
  head: ['', 'Φ(i, j)', ...serverNames(servers)],
  rows: repaired.map(([what, formula, each]) => [what, formula, ...each.map((share) => percent(share))]),
  text: 2,
})}
<p>It is the same in a larger table: with K = ${bigSize?.virtuals} on ${figure(bigSize?.slots ?? 0)} slots no gap is longer than ${percent(large.gap)} of the map, and still one server gets ${percent(large.busiest)}.</p>
<p>As distances are the same for every server, virtual servers also fall on each other: i² + (j + 1)² is the same number for many pairs. With ${servers} servers ${colliding} virtual servers share a slot by Φ, and linear probing moves the later ones to the next free slot, close to where others are already.</p>
<p>Virtual servers are to give each server many small pieces all over the circle, so that large and small ones even out. Pieces that lie side by side do not even out anything.</p>`;
}

function everyNumber({ anatomies, reached }: Diagnosis): Markup {
  const rows = anatomies.map(({ servers, shares, gap, reachedInGap, colliding, balance }) => [
    servers,
    percent(Math.max(...shares)),
    percent(1 / servers),
    percent(Math.min(...shares)),
    balance.largestOverMean.toFixed(2),
    gap.length,
    `${reachedInGap} of ${reached.length}`,
    colliding,
  ]);
  const first = anatomies[1];
  const last = anatomies.at(-1);
  return markup`${table({
    id: 'servers-table',
    caption:
      'The assignment’s map for each number of servers: shares of the busiest and of the idlest, the longest gap without a virtual server, how many of the reached slots are in it, and virtual servers whose slot is also that of another',
    head: [
      'servers',
      'busiest',
      'fair',
      'idlest',
      'largest/mean',
      'longest gap',
      'reached in it',
      'colliding',
    ],
    rows,
  })}
<p>More servers hardly help: from ${first?.servers} to ${last?.servers} the busiest goes from ${percent(Math.max(...(first?.shares ?? [0])))} to ${percent(Math.max(...(last?.shares ?? [0])))}, as each new one is put into the same corner, and the gap goes from ${first?.gap.length} to ${last?.gap.length} slots.</p>`;
}

function cure({ cures, byServers, virtuals, slots }: Diagnosis): Markup {
  const hashes = [...new Set(cures.map(({ hash }) => hash))];
  const sizes = cures.filter(({ hash }) => hash === hashes[0]);
  const find = (list: readonly Cure[], like: Partial<Cure>): Cure | undefined =>
    list.find((one) => Object.entries(like).every(([name, value]) => one[name as keyof Cure] === value));
  const rows = hashes.map((hash) => [
    hash,
    ...sizes.map((size) => cureText(find(cures, { hash, virtuals: size.virtuals, slots: size.slots }))),
  ]);
  const largest = (hash: Cure['hash'], size: Cure | undefined): string =>
    find(cures, {
      hash,
      virtuals: size?.virtuals ?? 0,
      slots: size?.slots ?? 0,
    })?.balance?.largestOverMean.toFixed(2) ?? '';
  const [small, , many] = sizes;
  const counts = [...new Set(byServers.map(({ servers }) => servers))];
  const more = Math.max(...byServers.map((one) => one.virtuals));
  const last = Math.max(...counts);
  const crowded = (hash: Cure['hash']): string =>
    find(byServers, { hash, servers: last, virtuals: more })?.balance?.largestOverMean.toFixed(2) ?? '';
  const series = ([each, dashed]: readonly [number, boolean]) =>
    hashes.map((hash, i) => ({
      label: `${hash}, K = ${each}`,
      colour: i === 0 ? NEUTRAL : serverColour(i - 1),
      expected: dashed,
      points: counts.map((servers) => ({
        x: servers,
        y: find(byServers, { hash, servers, virtuals: each })?.balance?.largestOverMean ?? 0,
      })),
    }));
  const chart = lineChart({
    id: 'cures',
    title: `Largest over mean with ${counts[0]} to ${counts.at(-1)} servers`,
    description: hashes
      .flatMap((hash) =>
        [virtuals, more].map(
          (each) =>
            `${hash}, K = ${each}: ${counts.map((servers) => find(byServers, { hash, servers, virtuals: each })?.balance?.largestOverMean.toFixed(2) ?? '').join(', ')}`,
        ),
      )
      .join('; '),
    series: [...series([virtuals, false]), ...series([more, true])],
    xLabel: 'servers',
    yLabel: 'largest over mean',
    scale: 'linear',
  });
  const byRows = hashes.flatMap((hash) =>
    [virtuals, more].map((each) => [
      `${hash}, K = ${each}`,
      ...counts.map(
        (servers) =>
          find(byServers, { hash, servers, virtuals: each })?.balance?.largestOverMean.toFixed(2) ?? '',
      ),
    ]),
  );
  return markup`<h3>Which change cures it?</h3>
<p>H and Φ are replaced one at a time by a function that mixes (the finalizer of MurmurHash3, in which each bit of the number changes half of the bits of the hash), and K grows. Shares are exact, of all requests.</p>
${table({
  id: 'cures-table',
  caption: `${FEW} servers: largest over mean, and in brackets the deviation as a part of the mean`,
  head: ['', ...sizes.map((size) => `K = ${size.virtuals}, ${figure(size.slots)} slots`)],
  rows,
})}
<ul>
<li><b>H alone</b> does not cure it: ${largest('H mixed', small)} instead of ${largest('as given', small)}. Requests are spread evenly then, over a map of which one server owns nearly all.</li>
<li><b>Φ alone</b> cures most of it: ${largest('Φ mixed', small)}. The pieces are all over the circle now, and what is left is that ${virtuals} pieces are few: the sum of ${virtuals} random pieces differs from the next one’s by about 1/√${virtuals}, ${percent(1 / Math.sqrt(virtuals))}.</li>
<li><b>Both</b>: ${largest('H and Φ mixed', small)} with K = ${virtuals}. The more pieces there are, the more H counts, as pieces between two of the slots that it reaches get no request: with ${last} servers and K = ${more} it is ${crowded('Φ mixed')} with Φ alone, and ${crowded('H and Φ mixed')} with both.</li>
<li><b>More virtual servers</b>: deviation falls with 1/√K, and with K = ${many?.virtuals}, which takes more than ${slots} slots, both mixed come to ${largest('H and Φ mixed', many)}. With Φ as given it helps only in a small table, which its squares go round more than once: in the large one it is ${largest('as given', many)}.</li>
</ul>
${figureWith(chart, markup`${slots} slots. Lines with marks: K = ${virtuals}, as in the assignment; dashed: K = ${more}, the most that leaves room for ${counts.at(-1)} servers.`)}
${table({
  id: 'by-servers-table',
  caption: `Largest over mean for each number of servers, ${slots} slots`,
  head: ['', ...counts.map((servers) => `N = ${servers}`)],
  rows: byRows,
})}
<p>The last column is an exception. With ${last} servers and K = ${more}, ${last * more} of the ${slots} slots are taken, so all servers own nearly the same number of slots, whatever Φ is; there another H alone is the cure (${crowded('H mixed')}).</p>
<p><b>The lesson:</b> a hash function for a ring has to look random: neighbours in its input must not be neighbours in its output, and every slot must be reached. H and Φ do neither. Replace Φ first, then H, then raise K until the deviation is what you can pay for.</p>`;
}

function cureText(found: Cure | undefined): string {
  if (found?.balance === undefined) return 'no room';
  const { largestOverMean, deviation, mean } = found.balance;
  return `${largestOverMean.toFixed(2)} (${percent(deviation / mean)})`;
}
