-- Users and what is theirs. The same on PostgreSQL, PGlite and TimescaleDB.
-- Prices and sizes are numeric: exact decimals without a fixed number of places.

CREATE TABLE users (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name text COLLATE "C" NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 128),
  status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled')),
  created_at timestamptz NOT NULL DEFAULT now()
);

-- version rises by one with every change; a writer that saw another version is refused.
CREATE TABLE watchlists (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  name text COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
  version integer NOT NULL DEFAULT 1 CHECK (version >= 1),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (user_id, name)
);

CREATE TABLE watchlist_symbols (
  watchlist_id uuid NOT NULL REFERENCES watchlists (id) ON DELETE CASCADE,
  place integer NOT NULL CHECK (place BETWEEN 0 AND 9999),
  symbol text COLLATE "C" NOT NULL CHECK (symbol ~ '^[a-z0-9_]{1,64}:[A-Za-z0-9._/-]{1,64}$'),
  PRIMARY KEY (watchlist_id, place),
  UNIQUE (watchlist_id, symbol)
);

CREATE TABLE layouts (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  name text COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
  body jsonb NOT NULL CHECK (jsonb_typeof(body) = 'object' AND pg_column_size(body) <= 262144),
  version integer NOT NULL DEFAULT 1 CHECK (version >= 1),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (user_id, name)
);

CREATE TABLE orders (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
  client_order_id text COLLATE "C" NOT NULL CHECK (length(client_order_id) BETWEEN 1 AND 64),
  symbol text COLLATE "C" NOT NULL CHECK (symbol ~ '^[a-z0-9_]{1,64}:[A-Za-z0-9._/-]{1,64}$'),
  side text NOT NULL CHECK (side IN ('buy', 'sell')),
  type text NOT NULL CHECK (type IN ('market', 'limit', 'stop', 'stop_limit')),
  quantity numeric NOT NULL CHECK (quantity > 0),
  limit_price numeric CHECK (limit_price > 0),
  stop_price numeric CHECK (stop_price > 0),
  status text NOT NULL CHECK (
    status IN ('new', 'accepted', 'partially_filled', 'filled', 'cancelled', 'rejected', 'expired')
  ),
  filled_quantity numeric NOT NULL DEFAULT 0 CHECK (filled_quantity >= 0 AND filled_quantity <= quantity),
  -- Sum of price times quantity over the fills: the average price is this divided by filled_quantity.
  filled_value numeric NOT NULL DEFAULT 0 CHECK (filled_value >= 0),
  version integer NOT NULL DEFAULT 1 CHECK (version >= 1),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (user_id, client_order_id),
  CHECK ((limit_price IS NOT NULL) = (type IN ('limit', 'stop_limit'))),
  CHECK ((stop_price IS NOT NULL) = (type IN ('stop', 'stop_limit'))),
  CHECK ((status = 'filled') = (filled_quantity = quantity)),
  CHECK (status <> 'partially_filled' OR filled_quantity > 0),
  CHECK ((filled_quantity = 0) = (filled_value = 0))
);

CREATE INDEX orders_by_user ON orders (user_id, created_at DESC, id);

CREATE INDEX orders_open ON orders (symbol, id) WHERE status IN ('new', 'accepted', 'partially_filled');

CREATE TABLE positions (
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
  symbol text COLLATE "C" NOT NULL CHECK (symbol ~ '^[a-z0-9_]{1,64}:[A-Za-z0-9._/-]{1,64}$'),
  -- Negative when short.
  quantity numeric NOT NULL,
  -- What the open quantity cost, with its sign.
  cost numeric NOT NULL,
  realised numeric NOT NULL DEFAULT 0,
  version integer NOT NULL DEFAULT 1 CHECK (version >= 1),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (user_id, symbol),
  CHECK (quantity <> 0 OR cost = 0)
);

-- Who did what to what. Rows are only ever added, each with a hash over itself and the one before it.
CREATE TABLE audit_trail (
  id bigint PRIMARY KEY,
  at timestamptz NOT NULL,
  actor text COLLATE "C" NOT NULL CHECK (length(actor) BETWEEN 1 AND 128),
  action text COLLATE "C" NOT NULL CHECK (length(action) BETWEEN 1 AND 128),
  subject text COLLATE "C" NOT NULL CHECK (length(subject) <= 256),
  detail jsonb NOT NULL DEFAULT '{}' CHECK (pg_column_size(detail) <= 65536),
  hash bytea NOT NULL CHECK (length(hash) = 32)
);

CREATE INDEX audit_trail_by_subject ON audit_trail (subject, id);

CREATE FUNCTION audit_trail_row_hash(entry audit_trail, previous bytea) RETURNS bytea
LANGUAGE sql STABLE AS $$
  SELECT sha256(
    previous || convert_to(
      jsonb_build_array(entry.id, extract(epoch FROM entry.at), entry.actor, entry.action, entry.subject, entry.detail)::text,
      'UTF8'
    )
  )
$$;

CREATE FUNCTION audit_trail_link() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
  last audit_trail;
BEGIN
  PERFORM pg_advisory_xact_lock(7203385529471);
  SELECT * INTO last FROM audit_trail ORDER BY id DESC LIMIT 1;
  NEW.id := coalesce(last.id, 0) + 1;
  NEW.hash := audit_trail_row_hash(NEW, coalesce(last.hash, ''::bytea));
  RETURN NEW;
END
$$;

CREATE FUNCTION audit_trail_refuse() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'audit_trail is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER audit_trail_link BEFORE INSERT ON audit_trail FOR EACH ROW EXECUTE FUNCTION audit_trail_link();

CREATE TRIGGER audit_trail_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_trail
FOR EACH STATEMENT EXECUTE FUNCTION audit_trail_refuse();
