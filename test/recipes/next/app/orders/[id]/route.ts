import { RunNotFoundError } from "@everstep/core";
import { everstep } from "../../../lib/everstep.ts";

interface Place {
  readonly params: Promise<{ readonly id: string }>;
}

export async function GET(_request: Request, { params }: Place): Promise<Response> {
  const { id } = await params;
  try {
    return Response.json({ status: await everstep().client.get(id).status() });
  } catch (error) {
    if (!(error instanceof RunNotFoundError)) throw error;
    return Response.json({ error: "there is no such order" }, { status: 404 });
  }
}
