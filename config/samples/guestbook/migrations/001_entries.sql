CREATE TABLE entries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    written_at timestamptz NOT NULL DEFAULT now(),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    words text NOT NULL CHECK (length(words) BETWEEN 1 AND 1000),
    version text NOT NULL
);
