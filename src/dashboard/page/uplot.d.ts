/** Served beside the page's own files; see page.ts. */
export { default } from 'uplot';
