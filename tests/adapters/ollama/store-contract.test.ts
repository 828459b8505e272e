import { describeModelStore } from "../../contracts/model-store.ts";
import { openStoreFixture } from "./store-fixture.ts";

describeModelStore("Ollama models directory", openStoreFixture, { writable: false, bytes: true });
