// Keeps an open page current. Every page can be read, and every action be done, without it.
//
// One stream for each page (browsers open six connections to a host). Parts are HTML that the server escaped; lines of
// logs, which programs and strangers wrote, come as text and become text.
"use strict"

const SECOND = 1000, MINUTE = 60, HOUR = 3600, DAY = 86400
const MOST_LINES = 20000   // on a page; older ones go, a link leads to them

// Times ---------------------------------------------------------------------------------------------------------------

function inWords(seconds) {
  if (seconds < MINUTE) return `${Math.floor(seconds)} s`
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)} min`
  if (seconds < DAY) return `${Math.floor(seconds / HOUR)} h`
  return `${Math.floor(seconds / DAY)} d`
}

function showTimes(within = document) {
  for (const time of within.querySelectorAll("time[data-shown]")) {
    const seconds = Math.max(0, (Date.now() - Date.parse(time.dateTime)) / SECOND)
    const text = time.dataset.shown === "ago" ? `${inWords(seconds)} ago` : `for ${inWords(seconds)}`
    if (time.textContent !== text) time.textContent = text
  }
}

// Parts ---------------------------------------------------------------------------------------------------------------

// What is folded or open stays so, and the focus stays where it is.
function put(part) {
  const there = document.getElementById(part.id)
  if (!there) return
  const template = document.createElement("template")
  template.innerHTML = part.html
  const made = template.content.firstElementChild
  if (!made) return
  showTimes(template.content)
  const folds = there.querySelectorAll("details")
  made.querySelectorAll("details").forEach((fold, at) => { if (folds[at]) fold.open = folds[at].open })
  if (made.isEqualNode(there)) return
  const focused = there.contains(document.activeElement) ? document.activeElement : null
  there.replaceWith(made)
  if (!focused) return
  const same = other => other.getAttribute("href") === focused.getAttribute("href") &&
    other.textContent === focused.textContent
  ;[...made.querySelectorAll(focused.tagName)].find(same)?.focus({ preventScroll: true })
}

// Loads the page again without leaving it: what was typed and where one looks stays. Hundreds of browsers may be told to
// at the same moment: they come one after the other, and who is too many comes again.
let loading = false, again = false
async function loadAgain() {
  if (loading) { again = true; return }
  loading = true
  let answer
  do {
    again = false
    await new Promise(done => setTimeout(done, Math.random() * 2 * SECOND))
    answer = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin" }).catch(() => null)
  } while (again || !answer || answer.status === 429 || answer.status === 503)
  loading = false
  if (!answer.ok) return location.reload()
  const made = new DOMParser().parseFromString(await answer.text(), "text/html")
  const field = document.activeElement?.id, main = made.querySelector("main")
  if (!main) return location.reload()
  document.querySelector("main").replaceWith(main)
  if (field) document.getElementById(field)?.focus({ preventScroll: true })
  showTimes()
  filterRows()
}

// Logs ----------------------------------------------------------------------------------------------------------------

// The end is followed from the beginning, until the reader scrolls away, and again when the reader comes back to it. An
// address that names a line is a place where somebody wants to be.
let follows = !location.hash || location.hash === "#end"
addEventListener("scroll", () => {
  follows = innerHeight + scrollY >= document.documentElement.scrollHeight - 80
}, { passive: true })
function toTheEnd() {
  if (follows) scrollTo({ top: document.documentElement.scrollHeight })
}

function element(name, className, text) {
  const made = document.createElement(name)
  if (className) made.className = className
  if (text !== undefined) made.textContent = text
  return made
}

function lineOf(line) {
  const made = element("li", line.kind)
  made.id = `L${line.number}`
  const number = element("a", "n", String(line.number))
  number.href = `#L${line.number}`
  number.setAttribute("aria-label", `Line ${line.number}`)
  const text = element("span", "t")
  if (line.app) text.append(element("b", "", line.app), " ")
  for (const [piece, style] of line.segments) {
    text.append(style ? element("span", style.split(" ").map(word => `c-${word}`).join(" "), piece) : piece)
  }
  if (line.where && line.kind === "error") text.append(" ", element("i", "", line.where))
  for (const more of line.more) text.append(element("span", "m", more))
  made.append(number, text)
  return made
}

// As `duration` in render.py: `3.4 s`, `2 min 5 s`.
function took(seconds) {
  return seconds < MINUTE ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds / MINUTE)} min ${(seconds % MINUTE).toFixed(0)} s`
}

function endPhase(log, at) {
  const titles = log.querySelectorAll("details.phase > summary"), title = titles[titles.length - 1]
  if (!title || title.querySelector(".quiet")) return
  title.append(" ", element("span", "quiet", took(Math.max(0, (Date.parse(at) - Date.parse(title.dataset.at)) / SECOND))))
}

function listFor(line, log) {
  if (line.kind === "phase") {
    endPhase(log, line.at)
    const phase = element("details", "phase")
    phase.open = true
    phase.dataset.phase = line.phase
    const title = element("summary", "", line.phase)
    title.id = `L${line.number}`
    title.dataset.at = line.at
    phase.append(title, element("ol", "log"))
    log.append(phase)
    return null
  }
  const lists = log.querySelectorAll("ol.log")
  if (lists.length) return lists[lists.length - 1]
  const made = element("ol", "log")
  log.append(made)
  return made
}

function append(lines) {
  const log = document.getElementById("log")
  if (!log) return
  document.getElementById("no-line")?.remove()
  for (const line of lines) {
    if (document.getElementById(`L${line.number}`)) continue   // a reconnect gives none twice; neither do we
    listFor(line, log)?.append(lineOf(line))
  }
  const all = log.getElementsByTagName("li")
  while (all.length > MOST_LINES) all[0].remove()
  toTheEnd()
}

// What containers print: rows of a table, texts only.
function appendPrinted(lines) {
  const body = document.querySelector("#printed tbody")
  if (!body) return
  for (const line of lines) {
    const row = element("tr"), time = element("td", "time"), who = element("td")
    row.setAttribute("role", "row")
    const made = element("time", "", line.time.slice(0, 19).replace("T", " "))
    made.dateTime = line.time
    time.append(made)
    who.append(element("span", "quiet", line.kind), " ", line.name)
    const cells = [time, who, element("td", "path", line.text)]
    for (const cell of cells) cell.setAttribute("role", "cell")
    row.append(...cells)
    body.append(row)
  }
  while (body.rows.length > MOST_LINES) body.rows[0].remove()
  toTheEnd()
}

// The stream ----------------------------------------------------------------------------------------------------------

function follow(address) {
  const stream = new EventSource(address)
  const connection = document.getElementById("connection")
  const say = text => { if (connection && connection.textContent !== text) connection.textContent = text }
  let waiting = [], due = false
  const flush = () => { due = false; append(waiting); waiting = [] }
  stream.addEventListener("open", () => say(""))
  stream.addEventListener("error", () => {
    if (stream.readyState === EventSource.CLOSED) {   // refused: the session is over, or the thing is gone
      say("not current: load the page again")
    } else {
      say("not current: connecting again")
    }
  })
  stream.addEventListener("part", event => put(JSON.parse(event.data)))
  stream.addEventListener("line", event => {
    waiting.push(JSON.parse(event.data))
    if (!due) { due = true; requestAnimationFrame(flush) }   // hundreds at once are drawn once
    if (document.hidden) flush()
  })
  stream.addEventListener("printed", event => appendPrinted(JSON.parse(event.data)))
  stream.addEventListener("reload", loadAgain)
  stream.addEventListener("end", () => {
    stream.close()
    for (const form of document.querySelectorAll(".while-open")) form.remove()
    for (const link of document.querySelectorAll(".when-over")) link.hidden = false
    const end = document.getElementById("end")
    if (end) end.textContent = "That is all."
  })
}

// The filter ----------------------------------------------------------------------------------------------------------

function filterRows() {
  const field = document.querySelector("form.filter input")
  if (!field) return
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean)
  for (const section of document.querySelectorAll("main section[id^='of-']")) {
    for (const row of section.querySelectorAll("tbody tr")) {
      const text = `${section.dataset.project} ${row.textContent}`.toLowerCase()
      row.hidden = !words.every(word => text.includes(word))
    }
  }
}

function filter() {
  const field = document.querySelector("form.filter input")
  if (!field) return
  field.addEventListener("input", () => {
    const query = field.value.trim() ? `?q=${encodeURIComponent(field.value.trim())}` : ""
    history.replaceState(null, "", location.pathname + query)
    filterRows()
  })
}

showTimes()
setInterval(showTimes, SECOND)
filter()
document.addEventListener("keydown", event => {
  const typing = ["INPUT", "SELECT", "TEXTAREA"].includes(document.activeElement?.tagName)
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const field = document.getElementById("q")
    if (field) { event.preventDefault(); field.focus() }
  }
})
// A line that was sent by somebody to whom more of the log was shown.
const sought = /^#L(\d{1,15})$/.exec(location.hash)
if (sought && document.getElementById("log") && !document.getElementById(`L${sought[1]}`) &&
    !new URLSearchParams(location.search).has("from")) {
  location.replace(`${location.pathname}?from=${Math.max(1, sought[1] - 20)}${location.hash}`)
}
document.addEventListener("click", event => {   // the line is on this page: it is not left, and goes on
  const number = event.target.closest?.("#log a.n")
  if (!number || event.ctrlKey || event.metaKey || event.shiftKey) return
  event.preventDefault()
  location.hash = number.hash
})
if (location.hash === "#end") scrollTo({ top: document.documentElement.scrollHeight })
if (document.body.dataset.live) follow(document.body.dataset.live)
