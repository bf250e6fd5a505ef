-- foreign: what somebody else wrote into a list or a sorted set of ours. It is no entry, so nobody can ever be given it.

--- @include lease

local function is_entry(text)
  return string.find(text, '^%d+r?%.%S+$') ~= nil
end

-- The entries of lane items, dead letters or lease items, as { raw =, entry =, slot =, … }; what is foreign is left out.
local function entries_in(raws)
  local items = {}
  for _, raw in ipairs(raws) do
    local item = read_item(raw)
    if item.entry and is_entry(item.entry) then items[#items + 1] = item end
  end
  return items
end
