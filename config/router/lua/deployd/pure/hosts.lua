-- Who answers for a host: the host itself, else the nearest wildcard.
local _M = {}

-- What `look_up` finds for the host or for a wildcard over it, and the pattern that it was found under; nil: nothing.
function _M.owner(host, look_up)
    local found = look_up(host)
    if found then
        return found, host
    end
    local from = 1
    while true do
        local dot = string.find(host, ".", from, true)
        if not dot then
            return nil
        end
        local pattern = "*" .. string.sub(host, dot)
        found = look_up(pattern)
        if found then
            return found, pattern
        end
        from = dot + 1
    end
end

return _M
