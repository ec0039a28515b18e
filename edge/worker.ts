/** Entry of the edge: the gateway and its two Durable Objects. */
import { app } from './app.ts';
import type { Env } from './env.ts';

export { Hub } from './hub/hub.ts';
export { Room } from './room/room.ts';

export default { fetch: app.fetch } satisfies ExportedHandler<Env>;
