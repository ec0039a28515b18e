/** Comparing secrets in constant time. */

/** Whether the Authorization header holds the secret. An empty secret matches nothing. */
export async function bearerMatches(authorization: string | undefined, secret: string): Promise<boolean> {
  const token = authorization?.startsWith('Bearer ') === true ? authorization.slice(7) : '';
  if (secret === '' || token === '' || token.length > 1_024) return false;
  const [a, b] = await Promise.all([digest(token), digest(secret)]);
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}

/** Digests are of one length, whatever the secrets are. */
async function digest(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)));
}
