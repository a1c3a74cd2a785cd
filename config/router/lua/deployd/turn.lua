-- One change of what the router knows at a time, over all workers.
local dict = ngx.shared.routes

local _M = {}

-- Does something when no other change is being made. Returns whether it was done, and its result or {refused = sentence}.
function _M.take(act)
    for _ = 1, 2000 do
        if dict:add("turn", true, 10) then
            local ok, result = pcall(act)
            dict:delete("turn")
            return ok, result
        end
        ngx.sleep(0.001)
    end
    return false, { refused = "another command is being carried out" }
end

return _M
