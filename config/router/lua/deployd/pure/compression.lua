-- Who gets answers uncompressed: a compressed answer's length tells what it repeats, and another site can let a visitor's
-- browser ask again and again with the visitor's cookies and with guesses in the URL (the attack BREACH). A browser says
-- which requests another site caused; those that carry a visitor's secrets are answered as they are, and the application
-- does not compress them either. A page that a person opens by a link is not such a request: nobody can open thousands
-- unseen.
local _M = {}

-- Whether a request is one of those (`var` is its variables). Nearly all are not, so the rarest header is looked at first.
function _M.is_unsafe(var)
    local site = var.http_sec_fetch_site
    return site and site ~= "same-origin" and site ~= "none" and var.http_sec_fetch_dest ~= "document"
        and (var.http_cookie or var.http_authorization) and true or false
end

return _M
