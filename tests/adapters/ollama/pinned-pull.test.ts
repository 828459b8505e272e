import { describePinnedPulls } from "./pinned-scenarios.ts";
import { openServerScene } from "./server-fixture.ts";

describePinnedPulls("Ollama server with its files", () => openServerScene({ bytes: true }));
