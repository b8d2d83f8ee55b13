// Errors as RFC 9457 problems: what a route throws, and how Express answers it.
export class Problem extends Error {
  constructor(status, type, title, members = {}) {
    super(title)
    this.status = status
    this.body = { type, title, status, ...members }
  }
}

export function notFound() {
  throw new Problem(404, 'not-found', 'There is nothing here')
}

function problemOf(error) {
  if (error instanceof Problem) return error
  // The body parser's errors carry the status that they mean: 400, 413, 415.
  if (error.expose && error.status < 500) return new Problem(error.status, 'malformed', error.message)
  return new Problem(500, 'internal', 'Something broke')
}

// Express knows an error handler by its four parameters.
export function answerProblem(error, request, response, next) {
  const problem = problemOf(error)
  if (problem.status >= 500) console.error(error)
  if (response.headersSent) return next(error)
  return response.status(problem.status).type('application/problem+json').send(JSON.stringify(problem.body))
}
