// One whole turn with a question, through the official client library: `node sdk_turn.mjs ADDRESS`.
// Prints one line of JSON: the question's texts, and the message that the turn ended with.
import { createOpencodeClient } from "@opencode-ai/sdk/v2/client"

const client = createOpencodeClient({ baseUrl: process.argv[2], throwOnError: true })
const leaving = new AbortController()
const events = await client.event.subscribe({}, { signal: leaving.signal })
const session = (await client.session.create()).data
const turn = client.session.prompt({ sessionID: session.id, parts: [{ type: "text", text: "ASK" }] })

let asked
let answered = false
for await (const event of events.stream) {
  if (event.type === "question.asked") {
    asked = event.properties
    const open = (await client.question.list()).data
    if (!open.some((request) => request.id === asked.id)) throw new Error("asked, and not in the list")
    await client.question.reply({ requestID: asked.id, answers: [["Postgres"], ["auth", "my own"]] })
  }
  if (event.type === "question.replied" && event.properties.requestID === asked.id) answered = true
  if (event.type === "session.idle" && answered) break
}
const ended = (await turn).data
leaving.abort()
console.log(JSON.stringify({ asked: asked.questions.map((question) => question.question), ended }))
