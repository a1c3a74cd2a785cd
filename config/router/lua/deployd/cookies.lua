-- What one environment may do to the cookies of its neighbours: nothing.
--
-- deployd gives environments hosts below one domain. A cookie with `Domain=` of that domain would be sent to all of them, so
-- on such a host a cookie is good for the environment's own hosts or for the one that set it. A browser is not asked to
-- forget cookies there (`Clear-Site-Data`), because it would forget those of the whole domain.
local cookie = require "deployd.pure.cookie"
local routes = require "deployd.routes"

local _M = {}

local function base_of_host()
    local entry = routes.find(ngx.var.host)
    if not entry then
        return ""   -- removed while it answered: for nobody but the host
    end
    return entry.within
end

-- Called when an answer begins.
function _M.keep()
    local header = ngx.header
    local found, clears = header["Set-Cookie"], header["Clear-Site-Data"]
    if not found and not clears then
        return
    end
    local base = base_of_host()
    if not base then
        return
    end
    if clears and cookie.forgets(clears) then
        header["Clear-Site-Data"] = nil
    end
    if type(found) == "table" then
        for place, one in ipairs(found) do
            found[place] = cookie.kept_within(one, base)
        end
        header["Set-Cookie"] = found
    elseif found then
        header["Set-Cookie"] = cookie.kept_within(found, base)
    end
end

return _M
