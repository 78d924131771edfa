// The specs are TypeScript, run by tsx; the package itself is CommonJS.
export default {
  extensions: { ts: 'commonjs' },
  nodeArguments: ['--import=tsx'],
  files: ['__test__/**/*.spec.ts'],
  timeout: '120s',
  concurrency: 2,
}
