import { readFile } from 'node:fs/promises';
import { swagger } from '@elysiajs/swagger';
import { Elysia } from 'elysia';
import project from '../../package.json' with { type: 'json' };
import { strictDocument } from './document.ts';

const PATH = '/swagger';

/** Files of swagger-ui-dist that the page needs, by the name under which they are served here. */
const ASSETS = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
} as const;

/**
 * Runs where the plugin would load its own user interface from a public host: it brings ours into the page instead,
 * so that the page works where there is no internet.
 */
const BOOT = `
const style = document.createElement('link');
style.rel = 'stylesheet';
style.href = '${PATH}/assets/swagger-ui.css';
const icon = document.createElement('link');
icon.rel = 'icon';
icon.href = 'data:,';
document.head.append(style, icon);
const root = document.createElement('div');
root.id = 'swagger-ui';
document.body.append(root);
const bundle = document.createElement('script');
bundle.src = '${PATH}/assets/swagger-ui-bundle.js';
bundle.onload = () => SwaggerUIBundle({
  url: '${PATH}/json',
  dom_id: '#swagger-ui',
  validatorUrl: null,
  tryItOutEnabled: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: -1,
});
document.body.append(bundle);
`;

/** Of the white space in the plugin's script element that only carries attributes: browsers ask for it even so. */
const BLANK_SCRIPT = "'sha256-TcUB1mzXiQO4GxpTRZ0EMpOXKMU3u+n/q1WrgVIcs1I='";

/**
 * The page runs no script but ours, and can't be put into a frame, where a page of another site could lead the
 * operator's clicks to Execute. Swagger's own styles are inline, its icons data.
 */
const PAGE_POLICY = {
  'content-security-policy': [
    "default-src 'self'",
    `script-src 'self' ${BLANK_SCRIPT}`,
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
} as const;

const DESCRIPTION = `A load balancer that owns its replicas. Every path that is not listed here is forwarded to the
replica that owns the request's key.`;

/** The API's description at /swagger/json and a page to try it at /swagger, both served from here alone. */
export function docs() {
  const assets = new Elysia({ name: 'docs/assets' }).get(
    `${PATH}/assets/boot.js`,
    () => new Response(BOOT, { headers: { 'content-type': 'text/javascript; charset=utf-8' } }),
    { detail: { hide: true } },
  );
  for (const [file, type] of Object.entries(ASSETS)) {
    const content = readFile(new URL(import.meta.resolve(`swagger-ui-dist/${file}`)));
    content.catch(() => {});
    assets.get(
      `${PATH}/assets/${file}`,
      async () =>
        new Response(await content, { headers: { 'content-type': type, 'cache-control': 'max-age=3600' } }),
      { detail: { hide: true } },
    );
  }
  return new Elysia({ name: 'docs' })
    .use(assets)
    .onAfterHandle(({ path, response, set }) => {
      Object.assign(set.headers, PAGE_POLICY);
      return path === `${PATH}/json` ? strictDocument(response) : undefined;
    })
    .use(
      swagger({
        path: PATH,
        scalarCDN: `${PATH}/assets/boot.js`,
        scalarConfig: { customCss: '' },
        documentation: {
          info: { title: 'Ringmaster', version: project.version, description: DESCRIPTION },
          tags: [
            { name: 'Requests', description: 'Where requests go' },
            { name: 'Replicas', description: 'Who is in' },
            { name: 'Ringmaster', description: 'The balancer itself' },
          ],
          components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
        },
      }),
    );
}
