import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type Docker from 'dockerode';
import { pack } from 'tar-fs';
import type { Log } from '../../log.ts';
import project from '../../../package.json' with { type: 'json' };
import { StartFailed } from '../runtime.ts';
import { call, found } from './engine.ts';

/** Built from this project's Dockerfile; it holds the balancer and the sample replica. */
export const OWN_IMAGE = `ringmaster:${project.version}`;
export const SAMPLE_COMMAND = ['bun', 'src/replica/main.ts'] as const;

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** What the Dockerfile copies. */
const CONTEXT = ['Dockerfile', 'package.json', 'bun.lock', 'src'] as const;
/** Lines of a failed build or pull that are kept for the log. */
const OUTPUT_KEPT_LINES = 20;

interface Progress {
  readonly stream?: string;
  readonly status?: string;
  readonly error?: string;
}

/** Makes sure that the engine has `image`: builds our own, pulls any other. Throws EngineGone or StartFailed. */
export async function ensureImage(docker: Docker, image: string, log: Log): Promise<void> {
  if ((await found(docker.getImage(image).inspect())) !== undefined) return;
  if (image === OWN_IMAGE) await build(docker, image, log);
  else {
    log.info({ image, progress: 'image' }, 'pulling the image');
    await follow(docker, await call(docker.pull(image)), 'pull', log);
  }
}

async function build(docker: Docker, image: string, log: Log): Promise<void> {
  if (!existsSync(join(ROOT, 'Dockerfile')))
    throw new StartFailed(
      `image ${image} is not there and this installation has no Dockerfile to build it from`,
    );
  log.info({ image, progress: 'image' }, 'building the image: this happens once and takes a minute at most');
  const authority = await extraAuthority();
  // Packed as it is sent: a build that is interrupted leaves no file behind.
  const context = pack(ROOT, {
    entries: [...CONTEXT],
    finalize: false,
    finish: (tar) => {
      if (authority !== undefined) tar.entry({ name: 'ca.crt' }, authority);
      tar.finalize();
    },
  });
  // Version 2 is BuildKit, which the Dockerfile's secret mount needs.
  await follow(docker, await call(docker.buildImage(context, { t: image, version: '2' })), 'build', log);
}

/** A proxy that inspects TLS has an authority of its own, which the host knows and a fresh container does not. */
async function extraAuthority(): Promise<Buffer | undefined> {
  const path = process.env['NODE_EXTRA_CA_CERTS'] ?? process.env['SSL_CERT_FILE'];
  return path === undefined ? undefined : readFile(path).catch(() => undefined);
}

function follow(docker: Docker, stream: NodeJS.ReadableStream, what: string, log: Log): Promise<void> {
  const output: string[] = [];
  return new Promise((resolve, reject) => {
    // dockerode's own, which decodes BuildKit's progress; its types know only the modem's, which does not.
    (docker as Docker & Pick<Docker['modem'], 'followProgress'>).followProgress(
      stream,
      (error: Error | null, events: Progress[]) => {
        // A build that failed ends without an error of the stream: it is one of the events.
        const failure = error?.message ?? events?.find((event) => event.error !== undefined)?.error;
        if (failure === undefined) return resolve();
        log.debug({ output }, `output of the image ${what}`);
        reject(new StartFailed(`image ${what} failed: ${failure.trim()}`));
      },
      (event: Progress) => {
        const line = (event.stream ?? event.status ?? '').trim();
        if (line === '') return;
        output.push(line);
        if (output.length > OUTPUT_KEPT_LINES) output.shift();
        // BuildKit's steps read "[sha256:0123a] [2/5] RUN …"; what a step prints is not for the terminal.
        const step = /^(?:\[sha256:\w+\] )?(\[(?!sha256|internal)[^\]]+\] .*)$/s.exec(line)?.[1];
        if (step !== undefined) log.info({ progress: 'image' }, `${what}: ${step.slice(0, 100)}`);
      },
    );
  });
}
