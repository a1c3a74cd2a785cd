local compression = require "deployd.pure.compression"

local function is_unsafe(more)
    local var = { http_sec_fetch_site = "cross-site", http_sec_fetch_dest = "image", http_cookie = "id=1" }
    for key, value in pairs(more or {}) do
        var[key] = value or nil
    end
    return compression.is_unsafe(var)
end

describe("an answer", function()
    it("is not compressed when another site asks with a visitor's secrets", function()
        assert.is_true(is_unsafe())
        assert.is_true(is_unsafe { http_sec_fetch_site = "same-site" })
        assert.is_true(is_unsafe { http_cookie = false, http_authorization = "Basic x" })
    end)

    it("is compressed when no other site asks, or without secrets", function()
        assert.is_false(is_unsafe { http_sec_fetch_site = "same-origin" })
        assert.is_false(is_unsafe { http_sec_fetch_site = "none" })
        assert.is_false(is_unsafe { http_cookie = false })
        assert.is_false(compression.is_unsafe {})
    end)

    it("is compressed when a person opens the page by a link", function()
        assert.is_false(is_unsafe { http_sec_fetch_dest = "document" })
    end)
end)
