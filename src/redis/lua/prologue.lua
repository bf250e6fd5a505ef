-- prologue: what every script begins with, but for one that includes `format` itself.
--
-- Cost  nothing where the caller knows the stored format; else 1 command, and 1 more that writes the number into an empty database

--- @include format

local refused_format = check_format()
if refused_format then return refused_format end
