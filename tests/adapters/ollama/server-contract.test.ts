import { describeModelStore } from "../../contracts/model-store.ts";
import { openServerFixture } from "./server-fixture.ts";

const secondName = (ref: string): string => ref.replace(/:[^:/]*$/, ":second");

describeModelStore("Ollama server with its files", () => openServerFixture({ bytes: true }), { writable: true, bytes: true, secondName });
describeModelStore("Ollama server over HTTP alone", () => openServerFixture({ bytes: false }), { writable: true, bytes: false, secondName });
