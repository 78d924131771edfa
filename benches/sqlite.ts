// The peer of SQLite archives: the same table by better-sqlite3, in one transaction, made durable. It is no dependency:
// `npm install --no-save better-sqlite3`, or PEERS=<folder with node_modules>; without it its rows say so.
import { rmSync } from 'node:fs';
import type { Contender } from './contenders';
import { type EntryMap, makeMap } from './data';
import { from } from './store/peers';

const SCHEMA = 'CREATE TABLE vectors(id TEXT NOT NULL, vector BLOB NOT NULL, metadata TEXT); CREATE UNIQUE INDEX vectors_id ON vectors(id)';

interface Row {
  id: string;
  vector: Buffer;
  metadata: string;
}

/** Saves to and loads from `path`. */
export function sqlitePeer(name: string, path: (folder: string) => string): Contender[] {
  return [
    {
      name: `save:${name}`,
      prepare(count, folder) {
        const map = makeMap(count);
        const Database = from('better-sqlite3');
        return () => {
          rmSync(path(folder), { force: true });
          const db = new Database(path(folder));
          db.pragma('synchronous = FULL');
          db.exec(SCHEMA);
          const insert = db.prepare('INSERT INTO vectors VALUES (?, ?, ?)');
          db.transaction(() => {
            for (const [id, { vector, metadata }] of map) insert.run(id, Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength), JSON.stringify(metadata));
          })();
          db.close();
        };
      },
    },
    {
      name: `load:${name}`,
      prepare(_count, folder) {
        const Database = from('better-sqlite3');
        return () => {
          const db = new Database(path(folder), { readonly: true });
          const map: EntryMap = new Map();
          for (const { id, vector, metadata } of db.prepare('SELECT id, vector, metadata FROM vectors').iterate() as Iterable<Row>) {
            map.set(id, { vector: new Float32Array(vector.buffer.slice(vector.byteOffset, vector.byteOffset + vector.byteLength)), metadata: JSON.parse(metadata) });
          }
          db.close();
          if (map.size === 0) throw new Error('the peer lost entries');
        };
      },
    },
  ];
}
