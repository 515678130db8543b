import { hex, inkOn, ON_DARK, ON_LIGHT } from '../dashboard/page/colours.js';
import { LAB_ALGORITHMS } from './options.ts';

/** Servers that have a colour of their own; beyond it colours repeat. */
const SERVER_COLOURS = 16;
/** Where those of algorithms begin: none is that of a server. */
const ALGORITHM_FROM = 20;

/** The class of the colour of the server at this place, from 0. */
export function serverColour(index: number): string {
  return `s${index % SERVER_COLOURS}`;
}

/** The class of the colour of an algorithm. */
export function algorithmColour(algorithm: (typeof LAB_ALGORITHMS)[number]): string {
  return `a-${algorithm}`;
}

export const NEUTRAL = 'neutral';

function colours(scheme: 'light' | 'dark'): string {
  const palette = (scheme === 'light' ? ON_LIGHT : ON_DARK).map(hex);
  const rule = (name: string, index: number): string => {
    const colour = palette[index % palette.length] as string;
    return `.${name}{--c:${colour};--on:${inkOn(colour)}}`;
  };
  const servers = Array.from({ length: SERVER_COLOURS }, (_, i) => rule(`s${i}`, i));
  const algorithms = LAB_ALGORITHMS.map((name, i) => rule(`a-${name}`, ALGORITHM_FROM + i));
  return [...servers, ...algorithms].join('\n');
}

/** The style of the report: as on the live page, in light and dark, on a phone and on paper. */
export const STYLE = `
:root{color-scheme:light dark;--paper:#f7f6f2;--sheet:#fff;--ink:#1a1916;--ink-2:#4d4a43;--line:#e3e0d8;--line-2:#c6c2b7;--good:#1c6b45;--bad:#b02318;--grey:#69655c}
${colours('light')}
@media screen and (prefers-color-scheme:dark){
:root{--paper:#101113;--sheet:#17191c;--ink:#eceae4;--ink-2:#bcb9b1;--line:#26292d;--line-2:#454950;--good:#7fd3a4;--bad:#ff9186;--grey:#97948c}
${colours('dark')}
}
.neutral{--c:var(--grey);--on:var(--paper)}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:1rem/1.55 system-ui,sans-serif}
main{max-width:53rem;margin:0 auto;padding:2rem 1rem 4rem}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 .5rem}
h2{font-size:1.3rem;line-height:1.3;margin:3rem 0 .5rem;padding-top:1rem;border-top:1px solid var(--line-2)}
h3{font-size:1.05rem;margin:2rem 0 .25rem}
p,ul,ol,dl{margin:.5rem 0 1rem}
li{margin:.25rem 0}
dt{font-weight:600}
dd{margin:0 0 .5rem}
.lead,figcaption,.note{color:var(--ink-2);font-weight:400}
p,li,dd,dt,figcaption,.caption{max-width:48rem}
figure{margin:1.5rem 0}
figcaption{font-size:.875rem;margin-top:.5rem}
.chart{display:block;width:100%;max-width:40rem;height:auto;background:var(--sheet);border:1px solid var(--line);border-radius:6px;font:12px system-ui,sans-serif}
.chart text{fill:var(--ink)}
.chart .tick,.chart .reference-label{fill:var(--ink-2);font-size:11px}
.chart .value{font-size:11px;paint-order:stroke;stroke:var(--sheet);stroke-width:3px;stroke-linejoin:round}
.chart .label{font-weight:600}
.chart .on{fill:var(--on)}
.chart .grid{stroke:var(--line)}
.chart .reference,.chart .stroke{stroke:var(--ink);stroke-width:1.5}
.chart .reference{stroke-dasharray:4 3}
.fill{fill:var(--c)}
.pale{fill:var(--c);fill-opacity:.3}
.dot{fill:var(--ink)}
.line{fill:none;stroke:var(--c);stroke-width:2}
.expected{stroke-dasharray:5 4}
.scroll{overflow-x:auto;margin:.25rem 0 1.5rem;background:linear-gradient(90deg,var(--paper) 60%,transparent) 0/2rem 100%,linear-gradient(270deg,var(--paper) 60%,transparent) 100%/2rem 100%,linear-gradient(90deg,var(--line-2),transparent) 0/.6rem 100%,linear-gradient(270deg,var(--line-2),transparent) 100%/.6rem 100%;background-repeat:no-repeat;background-attachment:local,local,scroll,scroll}
.caption{font-size:.875rem;color:var(--ink-2);margin:1.5rem 0 0}
table{border-collapse:collapse;font-size:.875rem;min-width:100%}
th,td{padding:.3rem .5rem;border-bottom:1px solid var(--line);text-align:right;vertical-align:top;font-variant-numeric:tabular-nums}
th:first-child,td:first-child,.text{text-align:left}
tbody th{font-weight:500}
thead th{font-weight:600}
td:not(.text),thead th{white-space:nowrap}
.text{min-width:7rem}
thead th{border-bottom:1px solid var(--line-2)}
.pass{color:var(--good)}
.fail{color:var(--bad);font-weight:600}
.key{display:inline-block;width:.8em;height:.8em;border-radius:2px;background:var(--c);margin-right:.35em}
code{font-size:.9em;overflow-wrap:anywhere}
a{color:inherit}
:focus-visible{outline:2px solid var(--ink)}
@media print{body{background:#fff}table{font-size:.7rem}th,td{padding:.15rem .3rem}td:not(.text),thead th{white-space:normal}figure,tr{break-inside:avoid}h2,h3{break-after:avoid}.scroll{overflow:visible;background:none}main{max-width:none;padding:0}*{print-color-adjust:exact}}
`;
