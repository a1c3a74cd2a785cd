-- Who gets answers uncompressed: a compressed answer's length tells what it repeats, and another site can let a visitor's
-- browser ask again and again with the visitor's cookies and with guesses in the URL (the attack BREACH). A browser says
-- which requests another site caused; those that carry a visitor's secrets are answered as they are, and the
-- application does not compress them either. A page that a person opens by a link is not such a request: nobody can open
-- thousands unseen.
local var = ngx.var

local _M = {}

-- Whether this is such a request. Nearly all are not, so the rarest header is looked at first.
function _M.is_unsafe()
    local site = var.http_sec_fetch_site
    return site and site ~= "same-origin" and site ~= "none" and var.http_sec_fetch_dest ~= "document"
        and (var.http_cookie or var.http_authorization) and true or false
end

function _M.forbid()
    ngx.req.clear_header("Accept-Encoding")
end

return _M
