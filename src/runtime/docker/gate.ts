import type { IncomingHttpHeaders } from 'node:http';
import { isDeepStrictEqual } from 'node:util';
import type { ContainerInspectInfo } from 'dockerode';
import { weightOf, type Mark } from '../runtime.ts';
import { eventFilters } from './events.ts';
import {
  containerNames,
  createdNames,
  createTemplate,
  LABEL,
  markedName,
  markOf,
  pidsOfWeight,
  weightOfPids,
  type TemplateSource,
} from './template.ts';

/** A create with a very long REPLICA_COMMAND stays below this; no other call has a body worth the name. */
export const BODY_MAX_BYTES = 256 * 1024;

/** A call as it came in: nothing of it is trusted. */
export interface Asked {
  readonly method: string;
  readonly target: string;
  /** Empty: none. */
  readonly body: string;
}

/** A call as the engine gets it. */
export interface EngineCall {
  readonly method: string;
  readonly path: string;
  readonly body?: object;
  /** What of the engine's reply is handed on; undefined: all of it. */
  readonly shown?: Shape;
}

/** What passes, what passes only if `judge` says so of that container, and what does not. */
export type Verdict =
  | { readonly call: EngineCall }
  | { readonly inspect: string; readonly judge: (info: Inspected) => Verdict }
  | { readonly refuse: string };

export type Inspected = Pick<ContainerInspectInfo, 'Id' | 'Name'> & {
  readonly Config: Pick<ContainerInspectInfo['Config'], 'Image' | 'Labels'>;
};

type Query = Readonly<Record<string, string>>;
/** Fields of a JSON value to keep; `*` stands for every field. */
type Shape = true | { readonly [field: string]: Shape };

/** What the runtime reads. A container that is not ours keeps its environment, its command and its labels to itself. */
const CONTAINER_SHOWN: Shape = {
  Id: true,
  Name: true,
  State: { Status: true, ExitCode: true, OOMKilled: true },
  Config: { Image: true },
  HostConfig: { PidsLimit: true },
  NetworkSettings: { Ports: true, Networks: { '*': { IPAddress: true } } },
};
const NETWORK_SHOWN: Shape = { Name: true, Internal: true };
const INFO_SHOWN: Shape = { OperatingSystem: true, SecurityOptions: true };

/** An older version means other things by the same words, so the engine is always asked in its own. */
const VERSION = /^\/v1\.\d{1,3}(?=\/)/;
const CONTAINER = /^\/containers\/([A-Za-z0-9][A-Za-z0-9_.-]*)(\/[a-z]+)?$/;
const NETWORK = /^\/networks\/[A-Za-z0-9][A-Za-z0-9_.-]*$/;
const REPLICA = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;
const TRUE = /^true$/;

/** What is done to a container of ours, each with exactly the query that the runtime sends. */
const ACTIONS: Readonly<Record<string, Readonly<Record<string, RegExp>>>> = {
  'POST /start': {},
  'POST /stop': { t: /^\d{1,6}$/ },
  'POST /rename': { name: /./ },
  'GET /logs': { stdout: TRUE, stderr: TRUE, tail: /^\d{1,4}$/ },
  'DELETE ': { force: TRUE, v: TRUE },
};

/** What becomes of a container's mark, by the one that it has: an add's is not taken for one that leaves, nor the other way. */
const MARKED_ANEW: Readonly<Record<Mark, readonly Mark[]>> = {
  joining: ['member'],
  member: ['member', 'joining', 'leaving first', 'leaving'],
  'leaving first': ['member'],
  leaving: ['member', 'leaving first'],
};

const UNKNOWN: Verdict = { refuse: 'what is not on its list' };

/** Why not even the body of a call is read; undefined where it may be. */
export function refusalOfHead(headers: IncomingHttpHeaders): string | undefined {
  if (headers.upgrade !== undefined) return 'a connection that becomes another protocol';
  if (headers['transfer-encoding'] !== undefined) return 'a body that does not say its length';
  if (Number(headers['content-length'] ?? 0) > BODY_MAX_BYTES) return `a body over ${BODY_MAX_BYTES} bytes`;
  return undefined;
}

/**
 * What becomes of a call. What passes is made anew from what was understood, so that no byte of the caller's reaches the
 * engine: it reads JSON by other rules than we do (two fields of one name are merged, case is no matter), and what could
 * be read in two ways has been read once. Every path is compared as it stands: nothing is decoded, nothing is resolved.
 */
export function decide({ method, target, body: text }: Asked, source: TemplateSource): Verdict {
  const [path = '', search = '', ...more] = target.replace(VERSION, '').split('?');
  const pairs = [...new URLSearchParams(search)];
  const query: Query = Object.fromEntries(pairs);
  if (more.length > 0 || Object.keys(query).length < pairs.length)
    return { refuse: 'a query that can be read in two ways' };
  const body = parsed(text);
  const asked = `${method} ${path}`;
  if (asked === 'POST /containers/create') return decideCreate(query, body, source);
  const weighs = /^POST \/containers\/([A-Za-z0-9][A-Za-z0-9_.-]*)\/update$/.exec(asked)?.[1];
  if (weighs !== undefined) return decideWeight(weighs, query, body, source);
  // dockerode says the query again in the body, where the engine does not look.
  if (text !== '' && !isDeepStrictEqual(asText(body), query))
    return { refuse: 'a body that this call does not have' };
  if (asked === 'GET /containers/json' || asked === 'GET /events')
    return decideFiltered(path, query, source.cluster);
  const [, id, action = ''] = CONTAINER.exec(path) ?? [];
  if (id !== undefined) return decideContainer(id, `${method} ${action}`, query, source);
  if (pairs.length > 0) return UNKNOWN;
  const reads = ['GET /_ping', 'HEAD /_ping', 'GET /version', `GET /images/${source.image}/json`];
  if (reads.includes(asked)) return { call: { method, path } };
  if (asked === 'GET /info') return { call: { method, path, shown: INFO_SHOWN } };
  if (method === 'GET' && NETWORK.test(path)) return { call: { method, path, shown: NETWORK_SHOWN } };
  return UNKNOWN;
}

/** Lists and events, of our cluster only. */
function decideFiltered(path: string, { filters = '', ...rest }: Query, cluster: string): Verdict {
  const given = parsed(filters);
  // A second label only narrows the list.
  const only = at(at(given, 'label'), '1');
  const label = [`${LABEL.cluster}=${cluster}`, ...(typeof only === 'string' ? [only] : [])];
  const [own, others] = path === '/events' ? [eventFilters(cluster), {}] : [{ label }, { all: 'true' }];
  if (!isDeepStrictEqual(given, own) || !isDeepStrictEqual(rest, others))
    return { refuse: `a look at more than the containers of ${LABEL.cluster}=${cluster}` };
  return { call: { method: 'GET', path: pathOf(path, { ...rest, filters: JSON.stringify(own) }) } };
}

/** Rebuilds the template from what the labels claim: they are all that may differ from replica to replica. */
function decideCreate(query: Query, body: unknown, source: TemplateSource): Verdict {
  const labels = at(body, 'Labels');
  const [name, join] = [at(labels, LABEL.name), at(labels, LABEL.join)];
  const order = Number(at(labels, LABEL.order));
  const weightText = at(labels, LABEL.weight);
  const weight =
    weightText === undefined || typeof weightText === 'string' ? weightOf(weightText) : undefined;
  const known = typeof name === 'string' && REPLICA.test(name) && typeof join === 'string';
  if (!known || !Number.isSafeInteger(order)) return { refuse: 'a container whose labels name no replica' };
  if (weight === undefined) return { refuse: 'a container whose labels say no possible weight' };
  const container = createdNames(source.cluster, name).find((own) => own === at(body, 'name'));
  // Whether it is committed shows in its name alone.
  const template = createTemplate(source, { name, join, order, weight, committed: true }, container);
  if (isDeepStrictEqual(body, template) && isDeepStrictEqual(query, { name: template.name }))
    return { call: { method: 'POST', path: pathOf('/containers/create', query), body: template } };
  const differing = Object.entries(template).filter(
    ([field, own]) => !isDeepStrictEqual(at(body, field), own),
  );
  const where = differing.map(([field]) => field).join(', ') || 'what it adds';
  return { refuse: `a container made otherwise than this configuration says: ${where}` };
}

/** Of all that can be changed of a container that runs, the note of its weight and nothing else. */
function decideWeight(id: string, query: Query, body: unknown, source: TemplateSource): Verdict {
  const weight = weightOfPids(Number(at(body, 'PidsLimit')));
  if (weight === undefined || Object.keys(query).length > 0) return UNKNOWN;
  const noted = { PidsLimit: pidsOfWeight(weight) };
  if (!isDeepStrictEqual(body, noted)) return UNKNOWN;
  const judge = (info: Inspected): Verdict =>
    replicaOf(info, source) === undefined
      ? { refuse: 'a container that is not ours' }
      : { call: { method: 'POST', path: `/containers/${info.Id}/update`, body: noted } };
  return { inspect: id, judge };
}

function decideContainer(id: string, action: string, query: Query, source: TemplateSource): Verdict {
  const [method = '', part = ''] = action.split(' ');
  const plan = action === 'GET /json' ? {} : ACTIONS[action];
  if (plan === undefined || Object.keys(query).length !== Object.keys(plan).length) return UNKNOWN;
  if (!Object.entries(plan).every(([field, allowed]) => allowed.test(query[field] ?? ''))) return UNKNOWN;
  if (part === '/json') return { call: { method, path: `/containers/${id}/json`, shown: CONTAINER_SHOWN } };
  const judge = (info: Inspected): Verdict => {
    const replica = replicaOf(info, source);
    if (replica === undefined) return { refuse: 'a container that is not ours' };
    if (part === '/rename' && !mayRename(source.cluster, replica, info.Name.slice(1), query['name'] ?? ''))
      return { refuse: 'a name that the labels do not give' };
    // By id: between the look and the call a name may come to mean another container.
    return { call: { method, path: pathOf(`/containers/${info.Id}${part}`, query) } };
  };
  return { inspect: id, judge };
}

/** Whether a container of the replica may come from the one name to the other. */
function mayRename(cluster: string, replica: string, from: string, to: string): boolean {
  const mark = markOf(cluster, replica, from);
  return mark !== undefined && MARKED_ANEW[mark].some((next) => to === markedName(cluster, replica, next));
}

/** The replica that a container is, by our label, our name and our image; undefined: it is none of ours. */
function replicaOf({ Name, Config }: Inspected, { cluster, image }: TemplateSource): string | undefined {
  const name = Config.Labels?.[LABEL.name] ?? '';
  const named = containerNames(cluster, name).some((own) => Name === `/${own}`);
  const ours = named && Config.Labels?.[LABEL.cluster] === cluster && Config.Image === image;
  return ours && REPLICA.test(name) ? name : undefined;
}

/** Of a JSON value what `shape` has. */
export function cut(value: unknown, shape: Shape): unknown {
  if (shape === true || typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).flatMap(([field, one]) => {
    const inner = shape['*'] ?? (Object.hasOwn(shape, field) ? shape[field] : undefined);
    return inner === undefined ? [] : [[field, cut(one, inner)] as const];
  });
  return Object.fromEntries(kept);
}

function pathOf(path: string, query: Query): string {
  const search = new URLSearchParams(query).toString();
  return search === '' ? path : `${path}?${search}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function at(value: unknown, field: string): unknown {
  const fields = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  return fields.find(([name]) => name === field)?.[1];
}

/** The values of an object as a query has them. */
function asText(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([field, one]) => [field, String(one)]));
}
