// Puts an application into the output of a notebook's cell. The page's `app` comes from embed.py.
(app => {
  const ATTACHED_WITHIN_MS = 60000
  const RETRY_MS = 50

  const say = (place, text) => {
    place.textContent = text
    place.style.cssText = "font: 13px/1.5 sans-serif; padding: 6px 10px; border-left: 3px solid #b3261e; white-space: pre-wrap"
    place.setAttribute("role", "alert")
  }

  // Files are known by their names, for the address changes when the cell is run again.
  const files = window._app_server_files ??= new Map()
  const load = (base, file) => {
    if (!files.has(file)) {
      files.set(file, new Promise((resolve, reject) => {
        const script = document.createElement("script")
        script.async = false // in their order: the parts of BokehJS need the first
        script.src = file.startsWith("/") ? base + file : file
        script.onload = resolve
        script.onerror = () => {
          files.delete(file)
          reject(new Error(`${script.src} could not be loaded`))
        }
        document.head.append(script)
      }))
    }
    return files.get(file)
  }

  // Asked before the server is: what it refuses, the browser keeps from scripts.
  const foreign = () => {
    if (app.origins.some(host => host == location.host || host.includes("*"))) return null
    const address = app.url.startsWith("/") ? `proxied("${location.origin}")` : `"${location.origin}"`
    return `The application does not know this notebook's address. Run show(…, notebook_url=${address}).`
  }

  const request = (base, place) => new Promise((resolve, reject) => {
    const query = new URLSearchParams({
      "bokeh-autoload-element": place.id,
      "bokeh-app-path": new URL(base).pathname.replace(/\/+$/, "") || "/",
      "bokeh-absolute-url": base,
    })
    if (app.files.length > 0) query.set("resources", "none")
    const xhr = new XMLHttpRequest()
    xhr.open("GET", `${base}/autoload.js?${query}`)
    xhr.onload = () => {
      if (xhr.status == 200) resolve(xhr.responseText)
      else if (xhr.status == 500 && xhr.getResponseHeader("Content-Type")?.startsWith("application/javascript"))
        reject(new Error("The application failed; its traceback stands among this cell's output, or in the log."))
      else reject(new Error(`${base} answers ${xhr.status} ${xhr.statusText}. Run the cell again to start the application.`))
    }
    xhr.onerror = () => reject(new Error(`Nothing answers at ${base}. Run the cell again to start the application.`))
    xhr.send()
  })

  const embed = async place => {
    place.id = `${app.id}-${Math.random().toString(36).slice(2)}`
    const refusal = foreign()
    if (refusal != null) return say(place, refusal)
    const address = new URL(app.url, location.href)
    const base = address.origin + address.pathname.replace(/\/+$/, "")
    try {
      const loaded = window.Bokeh?.version == app.bokeh && !files.size
      const wanted = app.files.filter(file => !loaded || !file.startsWith("/static/js/"))
      const [code] = await Promise.all([request(base, place), ...wanted.map(file => load(base, file))])
      const script = document.createElement("script")
      script.textContent = code
      place.textContent = ""
      document.head.append(script)
      script.remove()
    } catch (error) {
      say(place, error.message)
    }
  }

  // Jupyter runs this before the output is in the page, and for each further view of the output.
  const begin = tries => {
    const places = document.querySelectorAll(`[data-app-server="${app.id}"]:not([id])`)
    places.forEach(embed)
    if (places.length == 0 && tries > 0) setTimeout(begin, RETRY_MS, tries - 1)
  }
  begin(ATTACHED_WITHIN_MS / RETRY_MS)
})
