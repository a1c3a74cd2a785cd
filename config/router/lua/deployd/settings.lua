-- What the operator chose; filled once by init_by_lua in nginx.conf, read everywhere, never changed.
return {
    http_port = 80,
    https_port = false,  -- false: no TLS here, https routes are answered over http
    max_held = 10000,    -- requests that one environment may hold in a freeze
    pace = 64,           -- released requests under way at once, for each web container
    stalled_seconds = 10,  -- no answer for so long: the places of a release count as free again
    access_log = false,  -- path of the log; false: there is none
    configuration = "",  -- folder of the configuration that this nginx runs with
    share_bytes = 16e6,  -- of the memory for routes, for each project
    most_held_here = { project = 10240, all = 14336 },  -- requests that a worker may hold: each has a connection
    zones = {},          -- {project: name of its cache}
    hidden = {},         -- names of variables that pages of applications do not see
    pass_key = "",       -- signs operators' passes
    pages = "",          -- folder of the pages below
}
