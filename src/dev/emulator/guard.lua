-- Stands before a script, in the first line of it: there `redis` is another, which looks at each call before Redis does, refuses
-- what is to be refused, and raises or returns that as Redis does. It says what it refuses by arguments behind those of the
-- script, and takes them away. Each line of it ends a statement or goes on with one: it is joined to a single line.
local function guard(real, keys, argv, words)
  local count = #argv
  local function take(place) return argv[count - 12 + place] end
  local from, last, names, forms, said = tonumber(take(1)), tonumber(take(2)), take(3), take(4), take(5)
  local free, full, most, too_large = tonumber(take(6)), take(7), tonumber(take(8)), take(9)
  local longest, too_long, locked = tonumber(take(10)), take(11), take(12) == '1'
  for i = count, count - 11, -1 do argv[i] = nil end
  local declared, writes, seen = {}, {}, 0
  for _, key in ipairs(keys) do declared[key] = true end

  -- Which arguments are keys: the first of them, the last (from the end where negative), and how far apart they stand.
  local function keys_of(name, args)
    local places = words.places[name]
    if not places then return { args[1] } end
    local first, final, step = places[1], places[2], places[3]
    local found = {}
    if name == 'XREAD' or name == 'XREADGROUP' then
      for i = 1, #args do
        if string.upper(args[i]) == 'STREAMS' then first, final, step = i + 1, i + (#args - i) / 2, 1 break end
      end
    elseif step == 0 then
      if first > 1 then found[1] = args[1] end
      first, final, step = first + 1, first + (tonumber(args[first]) or 0), 1
    elseif final < 0 then
      final = #args + 1 + final
    end
    for i = first, final, step do found[#found + 1] = args[i] end
    return found
  end

  local function undeclared(name, args)
    if not locked then return nil end
    if words.whole[name] then return words.whole_database end
    for _, key in ipairs(keys_of(name, args)) do
      if not declared[key] then return words.dynamic .. key end
    end
  end

  local function grown_by(name, args)
    if words.first[name] then return { args[1] } end
    if words.second[name] then return { args[2] } end
    if not words.odd[name] then return nil end
    local grown = {}
    for i = 1, #args, 2 do grown[#grown + 1] = args[i] end
    return grown
  end

  -- Those that neither list nor pattern selects are not counted.
  local function asked_for(name, grown)
    local meant = forms == ''
    for _, key in ipairs(grown) do
      for form in string.gmatch(forms, '[^\n]+') do meant = meant or string.find(key, form) ~= nil end
    end
    if not meant or (names ~= '' and not string.find(names, ' ' .. name .. ' ', 1, true)) then return false end
    seen = seen + 1
    return seen >= from and seen <= last
  end

  local function over_limit(grown, args)
    if free <= 0 then return full end
    local bytes = 0
    for _, arg in ipairs(args) do bytes = bytes + #arg end
    for _, key in ipairs(grown) do
      if #key > longest then return too_long .. #key .. ' bytes' end
      local size = most < 2 ^ 53 - 1 and real.pcall('MEMORY', 'USAGE', key)
      if bytes + (type(size) == 'number' and size or 0) > most then return too_large end
    end
    free = free - bytes
  end

  local function refusal_of(name, ...)
    if type(name) ~= 'string' then return nil end
    name = string.upper(name)
    if words.unavailable[name] then return string.gsub(words.not_available, '%%s', name) end
    local args = { ... }
    for i = 1, #args do args[i] = tostring(args[i]) end
    local dynamic = undeclared(name, args)
    if dynamic then return dynamic end
    local grown = grown_by(name, args)
    if not grown then return nil end
    writes[#writes + 1] = name .. ' ' .. table.concat(grown, ' ')
    if asked_for(name, grown) then return said end
    return over_limit(grown, args)
  end

  -- Redis hands the text of an error to whoever catches it by pcall, and needs a table where nobody does; the embedded one
  -- needs the text in both cases. Where an error is caught as what was raised, it is the embedded one.
  local unwraps = type(select(2, pcall(error, { err = '' }))) == 'string'
  local shadow = {
    call = function(...)
      local refusal = refusal_of(...)
      if refusal then error(unwraps and { err = refusal } or refusal, 0) end
      return real.call(...)
    end,
    pcall = function(...)
      local refusal = refusal_of(...)
      if refusal then return { err = refusal } end
      return real.pcall(...)
    end,
  }
  return setmetatable(shadow, { __index = real }), writes
end
