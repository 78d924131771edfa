/**
 * The entry of the package: exactly the values that index.d.ts names, nothing else.
 */
export { PersistenceError } from './errors';
export { estimateMemoryUsage, formatFileSize, formatTimestamp } from './format';
export { diff } from './operations/diff';
export { exportRuvector } from './operations/export-ruvector';
export { DatabasePersistence } from './persistence';
export { VectorDB } from './vector-db';
export { VectorStore } from './vector-store';
