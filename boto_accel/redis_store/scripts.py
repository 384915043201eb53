"""
What has to happen at once, in Lua: each script changes one shard of a bucket, or the buckets.

Redis runs a script whole, with nothing in between, and writes it to replicas and the
append-only file as one transaction (Redis manual, "Atomicity of scripts"). All keys that a script
touches are in the slot of those it is given; the names of pieces are made of the record, which
only the script reads.

Each answers a list, of which the first says how it went.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple


class Script(NamedTuple):
    text: str
    sha: str


def _script(*parts: str) -> Script:
    text = "\n".join(part.strip() for part in parts)
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


# Let go of the pieces of *spec*, "blob:number blob:number …": in *ms*, or at once for 0.
_RELEASE = """
local function release(data, spec, ms)
  for blob, number in string.gmatch(spec or '', '(%x+):(%d+)') do
    for n = 0, tonumber(number) - 1 do
      local piece = data .. blob .. ':' .. n
      if ms == '0' then redis.call('UNLINK', piece) else redis.call('PEXPIRE', piece, ms) end
    end
  end
end
"""

# Take over pieces that were written with a lease. `complete` is false if one is gone.
_KEEP = """
local function complete(data, spec)
  for blob, number in string.gmatch(spec, '(%x+):(%d+)') do
    for n = 0, tonumber(number) - 1 do
      if redis.call('EXISTS', data .. blob .. ':' .. n) == 0 then return false end
    end
  end
  return true
end
local function keep(data, spec, ttl)
  for blob, number in string.gmatch(spec, '(%x+):(%d+)') do
    for n = 0, tonumber(number) - 1 do
      local piece = data .. blob .. ':' .. n
      if ttl == '' then redis.call('PERSIST', piece) else redis.call('PEXPIRE', piece, ttl) end
    end
  end
end
"""

# The conditions of a write, and the exchange of the record. S3 API, PutObject: If-Match of what is
# not there is a 404.
#
# The first write of a script is one that Redis refuses where memory is full: then nothing has
# changed. After another one ("dirty", `script.c` of Redis) it would refuse nothing.
_EXCHANGE = """
local function refuses(old, if_match, if_none_match)
  if if_none_match ~= '' and old[1] then
    if if_none_match == '*' or if_none_match == old[1] then return 'EXISTS' end
  end
  if if_match ~= '' then
    if not old[1] then return 'ABSENT' end
    if if_match ~= '*' and if_match ~= old[1] then return 'DIFFERS' end
  end
  return nil
end
local function exchange(record, index, data, old, grace, ttl, key, seconds, a)
  local head = seconds .. '/' .. a.count .. ' ' .. a.facts
  redis.call('HSET', record, 'm', head, 'e', a.etag, 'v', a.id)
  if a.spec ~= '' then
    redis.call('HSET', record, 'c', a.spec)
    redis.call('HDEL', record, 'd')
  else
    redis.call('HSET', record, 'd', a.body)
    redis.call('HDEL', record, 'c')
  end
  if a.tags ~= '' then redis.call('HSET', record, 't', a.tags)
  else redis.call('HDEL', record, 't') end
  if ttl ~= '' then redis.call('PEXPIRE', record, ttl) else redis.call('PERSIST', record) end
  redis.call('ZADD', index, 0, key)
  keep(data, a.spec, ttl)
  release(data, old[3], grace)
end
"""

# KEYS state index record; ARGV key facts etag id spec body tags count ttl if_match if_none_match
# grace data. An attempt that succeeded and whose answer was lost finds its own id: then it is done.
PUT = _script(
    _RELEASE,
    _KEEP,
    _EXCHANGE,
    """
local state = redis.call('GET', KEYS[1])
if state ~= 'open' then return {'STATE', state or ''} end
local old = redis.call('HMGET', KEYS[3], 'e', 'v', 'c')
local seconds = redis.call('TIME')[1]
if old[2] == ARGV[4] then return {'OK', seconds} end
local refusal = refuses(old, ARGV[10], ARGV[11])
if refusal then return {refusal} end
if not complete(ARGV[13], ARGV[5]) then return {'GONE'} end
exchange(KEYS[3], KEYS[2], ARGV[13], old, ARGV[12], ARGV[9], ARGV[1], seconds,
  {facts=ARGV[2], etag=ARGV[3], id=ARGV[4], spec=ARGV[5], body=ARGV[6], tags=ARGV[7],
   count=ARGV[8]})
return {'OK', seconds}
""",
)

# KEYS state index record; ARGV key grace data if_match
DELETE = _script(
    _RELEASE,
    """
local old = redis.call('HMGET', KEYS[3], 'e', 'c')
if ARGV[4] ~= '' then
  if not old[1] then return {'ABSENT', redis.call('GET', KEYS[1]) or ''} end
  if ARGV[4] ~= '*' and ARGV[4] ~= old[1] then return {'DIFFERS', ''} end
end
release(ARGV[3], old[2], ARGV[2])
redis.call('UNLINK', KEYS[3])
redis.call('ZREM', KEYS[2], ARGV[1])
if old[1] then return {'OK', 'open'} end
return {'OK', redis.call('GET', KEYS[1]) or ''}
""",
)

# Delete what has lost pieces, if it still is what was read. KEYS index record; ARGV key id data
DROP = _script(
    _RELEASE,
    """
local old = redis.call('HMGET', KEYS[2], 'v', 'c')
if old[1] ~= ARGV[2] then return {'OTHER'} end
release(ARGV[3], old[2], '0')
redis.call('UNLINK', KEYS[2])
redis.call('ZREM', KEYS[1], ARGV[1])
return {'OK'}
""",
)

# KEYS record; ARGV tags count
TAG = _script("""
local head = redis.call('HGET', KEYS[1], 'm')
if not head then return {'ABSENT'} end
local seconds, rest = string.match(head, '^(%d+)/%d+(.*)$')
redis.call('HSET', KEYS[1], 'm', seconds .. '/' .. ARGV[2] .. rest)
if ARGV[1] == '' then redis.call('HDEL', KEYS[1], 't')
else redis.call('HSET', KEYS[1], 't', ARGV[1]) end
return {'OK'}
""")

# A page of one shard: {where to go on, or "" at its end; how many keys are dead; they; key or
# common prefix; head, or "" of a prefix; …}. A key is dead if its record seems to be gone: SWEEP.
# KEYS index; ARGV records min max limit prefix_length delimiter budget
LIST = _script("""
local min, limit, budget = ARGV[2], tonumber(ARGV[4]), tonumber(ARGV[7])
local after, delimiter = tonumber(ARGV[5]) + 1, ARGV[6]
local dead, out = {}, {}
local found, looked = 0, 0
local function page(start)
  local whole = {start, tostring(#dead)}
  for _, key in ipairs(dead) do whole[#whole + 1] = key end
  for _, each in ipairs(out) do whole[#whole + 1] = each end
  return whole
end
while true do
  local keys = redis.call('ZRANGEBYLEX', KEYS[1], min, ARGV[3], 'LIMIT', 0, 128)
  local jumped = false
  for _, key in ipairs(keys) do
    looked = looked + 1
    min = '(' .. key
    local head = redis.call('HGET', ARGV[1] .. key, 'm')
    if not head then
      dead[#dead + 1] = key
    else
      local group = nil
      if delimiter ~= '' then
        local at = string.find(key, delimiter, after, true)
        if at then group = string.sub(key, 1, at + #delimiter - 1) end
      end
      found = found + 1
      out[#out + 1] = group or key
      out[#out + 1] = group and '' or head
      if group then
        min = '(' .. group .. '\\255'
        jumped = true
      end
    end
    if found >= limit or looked >= budget then return page(min) end
    if jumped then break end
  end
  if not jumped and #keys < 128 then return page('') end
end
""")

# Take keys whose record has expired, or was evicted, out of the index. {'ALIVE'}: one was not gone.
#
# Not where they are found: a record that a script was not told of may be on another node, while
# the slot is moved. All keys of this one are told: then Redis refuses it (TRYAGAIN).
# KEYS index record …; ARGV key …
SWEEP = _script("""
local answer = 'OK'
for n = 2, #KEYS do
  if redis.call('EXISTS', KEYS[n]) == 1 then answer = 'ALIVE'
  else redis.call('ZREM', KEYS[1], ARGV[n - 1]) end
end
return {answer}
""")

# Buckets. ----------------------------------------------------------------------------------------

# KEYS buckets deleting; ARGV bucket facts
CREATE_BUCKET = _script("""
local value = redis.call('TIME')[1] .. ' ' .. ARGV[2]
if redis.call('HSETNX', KEYS[1], ARGV[1], value) == 0 then return {'EXISTS'} end
redis.call('HDEL', KEYS[2], ARGV[1])
return {'OK'}
""")

# Before a write into a shard that is not open: a deletion that is under way ends here.
# KEYS buckets deleting; ARGV bucket
ENTER_BUCKET = _script("""
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return {'ABSENT'} end
redis.call('HDEL', KEYS[2], ARGV[1])
return {'OK'}
""")

# KEYS state; ARGV seen
OPEN_SHARD = _script("""
local state = redis.call('GET', KEYS[1]) or ''
if state == 'open' then return {'OK'} end
if state ~= ARGV[1] then return {'CHANGED'} end
redis.call('SET', KEYS[1], 'open')
return {'OK'}
""")

# KEYS buckets deleting; ARGV bucket deletion
BEGIN_DELETION = _script("""
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return {'ABSENT'} end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return {'OK'}
""")

# Close a shard that has no object. {'DEAD', key, …}: these seem to be gone: SWEEP, and ask again.
# KEYS state index; ARGV deletion records budget
CLOSE_SHARD = _script("""
local answer = {'DEAD'}
for _, key in ipairs(redis.call('ZRANGE', KEYS[2], 0, tonumber(ARGV[3]) - 1)) do
  if redis.call('EXISTS', ARGV[2] .. key) == 1 then return {'NOTEMPTY'} end
  answer[#answer + 1] = key
end
if #answer > 1 then return answer end
redis.call('SET', KEYS[1], 'closed:' .. ARGV[1])
return {'OK'}
""")

# KEYS buckets deleting; ARGV bucket deletion
END_DELETION = _script("""
if redis.call('HGET', KEYS[2], ARGV[1]) ~= ARGV[2] then
  return {redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 and 'CHANGED' or 'ABSENT'}
end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
return {'OK'}
""")

# KEYS buckets deleting; ARGV bucket deletion
CANCEL_DELETION = _script("""
if redis.call('HGET', KEYS[2], ARGV[1]) == ARGV[2] then redis.call('HDEL', KEYS[2], ARGV[1]) end
return {'OK'}
""")

# After a deletion: the uploads of the shard go, and the shard's state after a while.
# KEYS state uploads; ARGV deletion uploads_base data ms
CLEAR_SHARD = _script(
    _RELEASE,
    """
if redis.call('GET', KEYS[1]) ~= 'closed:' .. ARGV[1] then return {'CHANGED'} end
for _, member in ipairs(redis.call('ZRANGE', KEYS[2], 0, 999)) do
  local id = string.match(member, '%z(%x+)$')
  local upload = ARGV[2] .. (id or '')
  local fields = redis.call('HGETALL', upload)
  for n = 1, #fields, 2 do
    if fields[n] ~= 'm' then release(ARGV[3], string.match(fields[n + 1], '^%S*'), '0') end
  end
  redis.call('UNLINK', upload)
  redis.call('ZREM', KEYS[2], member)
end
if redis.call('ZCARD', KEYS[2]) > 0 then return {'MORE'} end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {'OK'}
""",
)

# Multipart uploads -------------------------------------------------------------------------------

# KEYS state uploads upload; ARGV member facts
CREATE_UPLOAD = _script("""
local state = redis.call('GET', KEYS[1])
if state ~= 'open' then return {'STATE', state or ''} end
local seconds = redis.call('TIME')[1]
redis.call('HSET', KEYS[3], 'm', seconds .. ' ' .. ARGV[2])
redis.call('ZADD', KEYS[2], 0, ARGV[1])
return {'OK', seconds}
""")

# A part is the field of its number: "spec seconds JSON". Nobody reads a part that is replaced.
# KEYS upload; ARGV number spec facts data
PUT_PART = _script(
    _RELEASE,
    _KEEP,
    """
if redis.call('HEXISTS', KEYS[1], 'm') == 0 then
  release(ARGV[4], ARGV[2], '0')
  return {'ABSENT'}
end
local seconds = redis.call('TIME')[1]
local old = redis.call('HGET', KEYS[1], ARGV[1])
local spec = old and string.match(old, '^%S*') or ''
if spec ~= ARGV[2] or spec == '' then
  if not complete(ARGV[4], ARGV[2]) then return {'GONE'} end
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. seconds .. ' ' .. ARGV[3])
  keep(ARGV[4], ARGV[2], '')
  release(ARGV[4], spec, '0')
end
return {'OK', seconds}
""",
)

# KEYS uploads upload; ARGV member data
ABORT_UPLOAD = _script(
    _RELEASE,
    """
local fields = redis.call('HGETALL', KEYS[2])
if #fields == 0 then return {'ABSENT'} end
for n = 1, #fields, 2 do
  if fields[n] ~= 'm' then release(ARGV[2], string.match(fields[n + 1], '^%S*'), '0') end
end
redis.call('UNLINK', KEYS[2])
redis.call('ZREM', KEYS[1], ARGV[1])
return {'OK'}
""",
)

# Make the object of an upload, if the parts still are those that were checked.
# KEYS state index record uploads upload; ARGV key facts etag id spec body tags count ttl if_match
# if_none_match grace data member, then number and value of each part
COMPLETE = _script(
    _RELEASE,
    _KEEP,
    _EXCHANGE,
    """
local state = redis.call('GET', KEYS[1])
if state ~= 'open' then return {'STATE', state or ''} end
local old = redis.call('HMGET', KEYS[3], 'e', 'v', 'c')
local seconds = redis.call('TIME')[1]
if old[2] == ARGV[4] then return {'OK', seconds} end
if redis.call('HEXISTS', KEYS[5], 'm') == 0 then return {'NOUPLOAD'} end
local refusal = refuses(old, ARGV[10], ARGV[11])
if refusal then return {refusal} end
for n = 15, #ARGV, 2 do
  if redis.call('HGET', KEYS[5], ARGV[n]) ~= ARGV[n + 1] then return {'CHANGED'} end
end
if not complete(ARGV[13], ARGV[5]) then return {'GONE'} end
exchange(KEYS[3], KEYS[2], ARGV[13], old, ARGV[12], ARGV[9], ARGV[1], seconds,
  {facts=ARGV[2], etag=ARGV[3], id=ARGV[4], spec=ARGV[5], body=ARGV[6], tags=ARGV[7],
   count=ARGV[8]})
local used = {}
for n = 15, #ARGV, 2 do used[ARGV[n]] = true end
local fields = redis.call('HGETALL', KEYS[5])
for n = 1, #fields, 2 do
  if fields[n] ~= 'm' and not used[fields[n]] then
    release(ARGV[13], string.match(fields[n + 1], '^%S*'), '0')
  end
end
redis.call('UNLINK', KEYS[5])
redis.call('ZREM', KEYS[4], ARGV[14])
return {'OK', seconds}
""",
)
