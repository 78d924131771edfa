// formatFileSize, formatTimestamp and estimateMemoryUsage (CHECKLIST E30-E32): exact texts, and refusals of nonsense.
import test from 'ava'
import { type DatabaseState, estimateMemoryUsage, formatFileSize, formatTimestamp } from 'ruvector-persistence'
import { earlierState } from './helpers/earlier'
import { entriesOf } from './helpers/vectors'

test('E30: formatFileSize refuses what is no number of bytes', (t) => {
  for (const bytes of [-1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) t.throws(() => formatFileSize(bytes), { instanceOf: RangeError, code: 'ERR_OPTION' }, String(bytes))
  for (const bytes of ['5', null, undefined, {}, 5n]) t.throws(() => formatFileSize(bytes as never), { code: 'ERR_OPTION' })
})

test('E30: formatFileSize has two decimals, base 1024, and the units B KB MB GB TB', (t) => {
  const texts: [number, string][] = [
    [1_536_000, '1.46 MB'], [0, '0.00 B'], [1, '1.00 B'], [1023, '1023.00 B'], [1024, '1.00 KB'], [1536, '1.50 KB'], [1024 ** 2, '1.00 MB'],
    [1024 ** 3, '1.00 GB'], [1024 ** 4, '1.00 TB'], [1024 ** 5, '1024.00 TB'], [1.5 * 1024 ** 3, '1.50 GB'], [500, '500.00 B'],
  ]
  for (const [bytes, text] of texts) t.is(formatFileSize(bytes), text)
})

test('E31: formatTimestamp refuses what is no time', (t) => {
  for (const time of [Number.NaN, Number.POSITIVE_INFINITY, 8.64e15 + 1]) t.throws(() => formatTimestamp(time), { instanceOf: RangeError, code: 'ERR_OPTION' })
  for (const time of ['2024', null, undefined, new Date()]) t.throws(() => formatTimestamp(time as never), { code: 'ERR_OPTION' })
})

test('E31: formatTimestamp is ISO 8601 in UTC with milliseconds', (t) => {
  t.is(formatTimestamp(1_705_314_600_000), '2024-01-15T10:30:00.000Z')
  t.is(formatTimestamp(0), '1970-01-01T00:00:00.000Z')
  t.is(formatTimestamp(1), '1970-01-01T00:00:00.001Z')
  t.is(formatTimestamp(-1), '1969-12-31T23:59:59.999Z')
  const now = Date.now()
  t.is(formatTimestamp(now), new Date(now).toISOString())
})

test('E32: estimateMemoryUsage is count * (dimension * 4 + 100) plus the JSON text of metadata', (t) => {
  const state: DatabaseState = earlierState(entriesOf(3, 8))
  const text = state.vectors.reduce((sum, { metadata }) => sum + JSON.stringify(metadata).length, 0)
  t.is(estimateMemoryUsage(state), 3 * (8 * 4 + 100) + text)
  t.is(estimateMemoryUsage({ ...state, vectors: state.vectors.map(({ id, vector }) => ({ id, vector })) }), 3 * 132)
  t.is(estimateMemoryUsage({ ...state, vectors: [], stats: { count: 0, dimension: 0 } }), 0)
  t.is(estimateMemoryUsage({ ...state, vectors: [], stats: { count: 1000, dimension: 384 }, metadata: { a: 1 } }), 1000 * (384 * 4 + 100) + 7)
})

test('E32: estimateMemoryUsage refuses what is no state', (t) => {
  for (const state of [undefined, null, 5, {}, { stats: null }]) t.throws(() => estimateMemoryUsage(state as never), { instanceOf: TypeError, code: 'ERR_OPTION' })
})
