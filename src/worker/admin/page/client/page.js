/**
 * What the page does with a script, in the browser; everything works without it.
 * Times become relative, with the exact moment in their title. What changes refreshes, and stops while somebody reads it: a
 * hidden tab, a selection, a tick, a focus or an open part in the content. A result that was shown once leaves the address. What
 * is to be copied is, by a button; a form that waits for its moment is sent.
 *
 * The Worker serves the text of this function, so it uses nothing from outside itself.
 */
export function client() {
  const format = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'narrow' })
  const units = /** @type {const} */ ([
    ['day', 86_400],
    ['hour', 3_600],
    ['minute', 60],
    ['second', 1],
  ])

  /** @param {number} seconds */
  const relative = (seconds) => {
    if (seconds > -1 && seconds <= 0) return 'just now'
    const [unit, size] = units.find(([, size]) => Math.abs(seconds) >= size) ?? ['second', 1]
    return format.format(Math.round(seconds / size), unit)
  }

  const relate = () => {
    for (const time of document.querySelectorAll('time')) {
      const then = new Date(time.dateTime)
      const text = relative((then.getTime() - Date.now()) / 1_000)
      time.dataset.utc ??= time.textContent
      time.title = `${time.dataset.utc}, ${then.toLocaleString()} here`
      if (time.hasAttribute('data-exact')) time.title += `, ${text}`
      else time.textContent = text
    }
  }

  const isRead = () => {
    const focused = document.activeElement
    return (
      document.hidden ||
      String(getSelection()) !== '' ||
      document.querySelector('main :is(details[open],:checked:not(option))') !== null ||
      focused?.matches('main :not([role=status])') === true
    )
  }

  const refresh = async () => {
    if (isRead() || !document.querySelector('main[data-refresh]')) return
    const answer = await fetch(location.href)
    if (answer.redirected) return location.reload()
    const text = await answer.text()
    if (!answer.ok || isRead()) return
    const next = new DOMParser().parseFromString(text, 'text/html')
    const main = next.querySelector('main')
    const live = document.getElementById('live')
    if (!main || !live) return
    document.querySelector('main')?.replaceWith(main)
    if (next.title !== document.title) {
      document.title = next.title
      live.textContent = next.title
    }
    relate()
  }

  for (const button of document.querySelectorAll('button[data-copies]')) {
    if (!(button instanceof HTMLElement)) continue
    const { copies = '' } = button.dataset
    button.hidden = false
    button.addEventListener('click', async () => {
      await navigator.clipboard.writeText(document.getElementById(copies)?.textContent ?? '')
      button.textContent = 'Copied'
    })
  }
  const next = document.querySelector('form[data-after]')
  if (next instanceof HTMLFormElement) {
    setTimeout(() => next.requestSubmit(), Number(next.dataset.after))
  }

  relate()
  setInterval(relate, 30_000)
  const seconds = Number(document.querySelector('main')?.dataset.refresh)
  if (seconds > 0) setInterval(() => void refresh().catch(() => undefined), seconds * 1_000)
  const flash = document.querySelector('[data-clean]')
  const clean = flash?.getAttribute('data-clean')
  if (clean) history.replaceState(null, '', clean)
}
