// The specs are TypeScript, run by tsx; the package itself is CommonJS.
export default {
  extensions: { ts: 'commonjs' },
  nodeArguments: ['--import=tsx'],
  files: ['__test__/**/*.spec.ts'],
  timeout: '240s',
  concurrency: 2,
  // Processes: a spec that spawns children from a worker thread can fail with ENOMEM, and a crash would end all specs.
  workerThreads: false,
}
