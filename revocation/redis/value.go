// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"

	"github.com/caddybolt/caddy-bolt/internal/replica"
	"github.com/caddybolt/caddy-bolt/internal/revoked"
)

// The text of a key that this module wrote:
//
//	Vcaddy-auth/1 <end>:<cut-off>:<tombstone>:<issuer> ...
//	.
//
// with one group for each issuer. It is also how Python pickles a text, so that
// an application that looks the key up in Django's cache finds one, rather than
// an error. Ends are milliseconds since 1970, issuers are escaped as in the
// query of a URL, cut-offs are digits whose order is that of the times, since
// Lua's numbers would round them.
const (
	magic   = "Vcaddy-auth/1"
	ending  = "\n."
	never   = math.MaxInt64 / millisecond // the end of what does not end
	maxText = 1 << 20                     // of what may be in a key
)

const millisecond = int64(1_000_000)

// milliseconds rounds up: an entry must not end early.
func milliseconds(nanoseconds int64) int64 {
	if nanoseconds >= never*millisecond {
		return never
	}
	return (nanoseconds + millisecond - 1) / millisecond
}

func nanoseconds(milliseconds int64) int64 {
	if milliseconds >= never {
		return math.MaxInt64
	}
	return milliseconds * millisecond
}

// sortable writes a time so that texts are in the order of times.
func sortable(t int64) string { return fmt.Sprintf("%020d", uint64(t)^1<<63) }

func unsortable(text string) (int64, bool) {
	n, err := strconv.ParseUint(text, 10, 64)
	return int64(n ^ 1<<63), err == nil
}

// reader reads the texts of keys, with little garbage: there may be a million.
type reader struct {
	records         []replica.Record
	escaped, issuer string // the last of the issuers
}

// value reads the text of a key. What it returns is valid until the next call.
// Own is false for a text that somebody else wrote, whatever it is.
func (d *reader) value(kind revoked.Kind, id, text string) (records []replica.Record, own bool) {
	body, ok := strings.CutPrefix(text, magic)
	if !ok || len(text) > maxText {
		return nil, false
	}
	body, ok = strings.CutSuffix(body, ending)
	if !ok {
		return nil, false
	}
	records = d.records[:0]
	for group := range strings.SplitSeq(body, " ") {
		if group == "" {
			continue
		}
		r, ok := d.group(group)
		if !ok {
			return nil, false
		}
		r.Kind, r.ID = kind, id
		records = append(records, r)
	}
	d.records = records
	return records, len(records) > 0
}

func (d *reader) group(group string) (r replica.Record, ok bool) {
	till, rest, _ := strings.Cut(group, ":")
	cutoff, rest, _ := strings.Cut(rest, ":")
	tombstone, issuer, ok := strings.Cut(rest, ":")
	if !ok || strings.Contains(issuer, ":") {
		return r, false
	}
	end, err := strconv.ParseUint(till, 10, 63)
	if err != nil {
		return r, false
	}
	if r.Cutoff, ok = unsortable(cutoff); !ok {
		return r, false
	}
	if issuer != d.escaped {
		plain, err := url.QueryUnescape(issuer)
		if err != nil {
			return r, false
		}
		d.escaped, d.issuer = strings.Clone(issuer), plain
	}
	r.Until, r.Tombstone, r.Issuer = nanoseconds(int64(end)), tombstone, d.issuer
	return r, true
}

// changeScript makes one change to one key: the arguments are the operation,
// the time, the end, the cut-off, the tombstone and the issuer. What it writes
// lives as long as the longest of what the key holds, counted from now: the
// clocks of the server and of the nodes need not agree.
const changeScript = `
local op, now, till, cutoff, tomb, issuer = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5], ARGV[6]
local never, magic, ending = 9223372036854, 'Vcaddy-auth/1', '\n.'
local value = redis.pcall('GET', KEYS[1])
if type(value) == 'table' then value = '' end
local list, mine = {}, nil
if value then
  if string.sub(value, 1, #magic) == magic then
    for t, c, x, i in string.gmatch(value, ' (%d+):(%d+):(%w*):([^ \n]*)') do
      local e = {till = tonumber(t), cutoff = c, tomb = x, issuer = i}
      if e.till + 300000 > now then
        list[#list + 1] = e
        if i == issuer then mine = e end
      end
    end
  else
    local ttl = redis.call('PTTL', KEYS[1])
    local e = {till = ttl < 0 and never or now + ttl, cutoff = '09223372036854775808', tomb = '', issuer = ''}
    list[1] = e
    if issuer == '' then mine = e end
  end
end
if op == 'publish' and mine and mine.tomb ~= '' and mine.tomb ~= tomb then
  return 0
end
if not mine then
  mine = {till = 0, cutoff = cutoff, tomb = '', issuer = issuer}
  list[#list + 1] = mine
end
if op == 'forget' then
  mine.till = math.max(mine.till, till)
  mine.tomb = tomb
elseif mine.tomb ~= '' then
  mine.till, mine.cutoff, mine.tomb = till, cutoff, ''
else
  mine.till = math.max(mine.till, till)
  if mine.cutoff < cutoff then mine.cutoff = cutoff end
end
local last, text = 0, magic
for _, e in ipairs(list) do
  last = math.max(last, e.till)
  text = text .. ' ' .. string.format('%.0f', e.till) .. ':' .. e.cutoff .. ':' .. e.tomb .. ':' .. e.issuer
end
if last >= never then
  redis.call('SET', KEYS[1], text .. ending)
elseif last > now then
  redis.call('SET', KEYS[1], text .. ending, 'PX', string.format('%.0f', last - now))
end
return 1
`

var operations = map[replica.Op]string{
	replica.Revoke:  "revoke",
	replica.Publish: "publish",
	replica.Forget:  "forget",
}

// arguments are those of changeScript.
func arguments(c replica.Change, now int64) []string {
	return []string{
		operations[c.Op],
		strconv.FormatInt(now/millisecond, 10),
		strconv.FormatInt(milliseconds(c.Until), 10),
		sortable(c.Cutoff),
		c.Tombstone,
		url.QueryEscape(c.Issuer),
	}
}
