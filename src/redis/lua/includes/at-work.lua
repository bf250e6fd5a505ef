-- at-work: the drains that a backlog has at work, by the places that they have taken.

--- @include entry

-- Returns until when each place is taken: of those that are free there is nothing.
local function drains_at_work(key, now)
  local taken = {}
  for place, ends in string.gmatch(text_of(key), '(%d+) (%d+)') do
    if tonumber(ends) > now then taken[place] = tonumber(ends) end
  end
  return taken
end
