-- What one project may take of the memory for routes, so that there is always room for those of others.
--
-- Asked of routes that a push brings (switch, preview). What was live before is not asked (put): it has to come back after
-- a restart, whatever the shares are now.
local MEGABYTE = 1024 * 1024
local BYTES_OF_HOST = 512   -- where its name points, and its place in the head

local _M = {}

function _M.size(document, text)
    return #text + BYTES_OF_HOST * #document.hosts
end

local function project_of(name)
    return string.match(name, "^[^/]*")
end

-- Why an environment cannot have routes of so many bytes, or nil. `names` are all environments, `bytes_of(name)` what one
-- has now, nil when it has no routes.
function _M.problem(name, bytes, names, bytes_of, most)
    local project = project_of(name)
    for _, other in ipairs(names) do
        if other ~= name and project_of(other) == project then
            bytes = bytes + (bytes_of(other) or 0)
        end
    end
    if bytes > most then
        return string.format(
            "the routes of the project %s would take %.1f MB of its memory, and a project has %.1f MB"
                .. " (router.project_routes_mb): have fewer redirects, or fewer branches",
            project, bytes / MEGABYTE, most / MEGABYTE
        )
    end
end

return _M
