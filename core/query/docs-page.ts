/** Readable reference of the API as one page: rendered here from the OpenAPI document, so it needs no script and no other host. */

interface SchemaDoc {
  $ref?: string;
  type?: string;
  enum?: unknown[];
  default?: unknown;
  minimum?: number;
  maximum?: number;
  items?: SchemaDoc;
  properties?: Record<string, SchemaDoc>;
  anyOf?: SchemaDoc[];
  additionalProperties?: SchemaDoc | boolean;
}

interface OperationDoc {
  operationId: string;
  summary: string;
  description: string;
  tags: string[];
  parameters?: {
    name: string;
    in: string;
    required?: boolean;
    description: string;
    schema: SchemaDoc;
    example?: unknown;
  }[];
  responses: Record<
    string,
    { description: string; content?: Record<string, { schema: SchemaDoc; example?: unknown }> }
  >;
}

export interface ApiDocument {
  info: { title: string; version: string; description: string };
  tags: { name: string; description: string }[];
  paths: Record<string, { get?: OperationDoc }>;
  components?: { schemas?: Record<string, SchemaDoc> };
}

/** Nothing but the page's own style may run or load. */
export const DOCS_CSP =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export function docsPage(document: ApiDocument): string {
  const { info, tags, paths } = document;
  const operations = Object.entries(paths).flatMap(([path, { get }]) => (get === undefined ? [] : [{ path, get }]));
  const sections = tags.map((tag) => {
    const own = operations
      .filter(({ get }) => get.tags.includes(tag.name))
      .map(({ path, get }) => operation(path, get));
    return `<h2>${text(tag.name)}</h2><p>${text(tag.description)}.</p>${own.join('')}`;
  });
  const schemas = Object.entries(document.components?.schemas ?? {}).map(([name, schema]) =>
    schemaSection(name, schema),
  );
  const index = operations.map(({ path, get }) => `<li><a href="#${text(get.operationId)}">GET ${text(path)}</a></li>`);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${text(info.title)} API ${text(info.version)}</title><style>${STYLE}</style></head>
<body><main><h1>${text(info.title)} API <small>${text(info.version)}</small></h1>
${info.description
  .split('\n\n')
  .map((part) => `<p>${marked(part)}</p>`)
  .join('\n')}
<p><a href="/openapi.json">OpenAPI 3.1 document</a></p>
<nav><ul>${index.join('')}</ul></nav>
${sections.join('\n')}
<h2>schemas</h2>${schemas.join('\n')}
</main></body></html>
`;
}

function operation(path: string, doc: OperationDoc): string {
  const parameters = (doc.parameters ?? []).map(
    (parameter) =>
      `<tr><td><code>${text(parameter.name)}</code>${parameter.required === true ? ' <em>required</em>' : ''}</td><td>${typeOf(parameter.schema)}</td><td>${marked(parameter.description)}</td></tr>`,
  );
  const responses = Object.entries(doc.responses).map(([status, response]) => {
    const kinds = Object.entries(response.content ?? {}).map(([type, { schema }]) => `${text(type)} ${typeOf(schema)}`);
    return `<tr><td>${text(status)}</td><td>${text(response.description)}</td><td>${kinds.join('<br>')}</td></tr>`;
  });
  const example = doc.responses['200']?.content?.['application/json']?.example;
  return `<section id="${text(doc.operationId)}"><h3><code>GET ${text(path)}</code></h3><p>${marked(doc.description)}</p>
${parameters.length > 0 ? `<table><tr><th>parameter</th><th>type</th><th></th></tr>${parameters.join('')}</table>` : ''}
<table><tr><th>status</th><th></th><th>content</th></tr>${responses.join('')}</table>
${example === undefined ? '' : `<details><summary>Example</summary><pre>${text(JSON.stringify(example, undefined, 2))}</pre></details>`}</section>`;
}

function schemaSection(name: string, schema: SchemaDoc): string {
  const fields = Object.entries(schema.properties ?? {}).map(
    ([field, own]) => `<tr><td><code>${text(field)}</code></td><td>${typeOf(own)}</td></tr>`,
  );
  return `<section id="schema-${text(name)}"><h3>${text(name)}</h3><table>${fields.join('')}</table></section>`;
}

function typeOf(schema: SchemaDoc): string {
  const name = schema.$ref?.split('/').at(-1);
  if (name !== undefined) return `<a href="#schema-${text(name)}">${text(name)}</a>`;
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeOf).join(' or ');
  if (schema.enum !== undefined) return schema.enum.map((value) => `<code>${text(String(value))}</code>`).join(', ');
  if (schema.items !== undefined) return `list of ${typeOf(schema.items)}`;
  if (typeof schema.additionalProperties === 'object') return `map to ${typeOf(schema.additionalProperties)}`;
  const range = schema.maximum === undefined ? '' : ` ${schema.minimum ?? 0}…${schema.maximum}`;
  const fallback = schema.default === undefined ? '' : ` (default ${text(JSON.stringify(schema.default))})`;
  return `${text(schema.type ?? 'any')}${range}${fallback}`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function text(plain: string): string {
  return plain.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

/** Text with `code` marks. */
function marked(plain: string): string {
  return text(plain).replace(/`([^`]+)`/g, '<code>$1</code>');
}

const STYLE = `:root{color-scheme:light dark;font:15px/1.5 system-ui,sans-serif}body{margin:0}main{max-width:60rem;margin:0 auto;padding:1rem}
table{border-collapse:collapse;width:100%;margin:.5rem 0}td,th{border-bottom:1px solid #8884;padding:.25rem .5rem;text-align:left;vertical-align:top}
code,pre{font:13px/1.45 ui-monospace,monospace}pre{overflow:auto;padding:.75rem;border:1px solid #8884;border-radius:4px}
section{margin:1.5rem 0;padding-top:.5rem;overflow-x:auto}h3{margin:.25rem 0}nav ul{columns:2;padding-left:1.2rem}`;
