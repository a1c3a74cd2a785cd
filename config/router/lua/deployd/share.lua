-- What one project may take of the memory for routes, so that there is always room for those of others.
--
-- Asked of routes that a push brings (switch, preview). What was live before is not asked (put): it has to come back after a
-- restart, whatever the shares are now.
local settings = require "deployd.settings"

local dict = ngx.shared.routes
local MEGABYTE = 1024 * 1024
local BYTES_OF_HOST = 512   -- where its name points, and its place in the head

local _M = {}

function _M.size(document, text)
    return #text + BYTES_OF_HOST * #document.hosts
end

local function project_of(name)
    return string.match(name, "^[^/]*")
end

-- An earlier version of deployd did not note it.
local function noted(name, head)
    return head.bytes or #(dict:get("doc:" .. name .. ":" .. head.document) or "")
end

-- Why an environment cannot have routes of that size, or nil.
function _M.problem(name, bytes, names, read_head)
    local project = project_of(name)
    for _, other in ipairs(names) do
        local head = other ~= name and project_of(other) == project and read_head(other)
        if head then
            bytes = bytes + noted(other, head)
        end
    end
    if bytes > settings.share_bytes then
        return string.format(
            "the routes of the project %s would take %.1f MB of its memory, and a project has %.1f MB"
                .. " (router.project_routes_mb): have fewer redirects, or fewer branches",
            project, bytes / MEGABYTE, settings.share_bytes / MEGABYTE
        )
    end
end

return _M
